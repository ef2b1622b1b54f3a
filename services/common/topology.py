"""Every exchange, queue and binding of the pipeline, as data; nothing is declared anywhere else.

RabbitMQ refuses a second declaration that differs (406 PRECONDITION_FAILED), so all programs call
`declarations()`, and the arguments of a queue come from one function.

Background: https://www.rabbitmq.com/docs/quorum-queues and https://www.rabbitmq.com/docs/dlx
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from services.common.messages import JobEvent, Kind

Layout = Literal["single", "per-operation"]

JOBS = "lab.jobs"
EVENTS = "lab.events"
DEAD = "lab.dead"
WEBHOOKS = "lab.webhooks"

DEAD_LETTER = "dead-letter"
TRACKER_EVENTS = "tracker.events"
TRACKER_DEAD = "tracker.dead"
NOTIFIER_EVENTS = "notifier.events"
NOTIFIER_WEBHOOKS = "notifier.webhooks"
TRACKER_WEBHOOKS = "tracker.webhooks"

CHANGED = "job.changed"
HEARTBEAT = "worker.heartbeat"
CONTROL = "control.changed"
ATTEMPTED = "webhook.attempted"

DELIVERY_LIMIT = 5
"""Redeliveries that a work queue allows; one more and the broker dead-letters the message."""

NO_DELIVERY_LIMIT = 2**31 - 1
"""Since 4.0 a quorum queue without a limit drops after 20 redeliveries, and -1 ("no limit" there) makes
3.10 drop at the first redelivery. A limit that is never reached means the same on both."""

RETRY_DELAYS_S = (1, 5, 15)

IMAGE_POOLS = ("rotate", "resize", "force_resize", "convert", "other")
"""Worker pools of the layout per-operation, by the first operation of a job."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    kind: Literal["direct", "topic", "fanout"]


@dataclass(frozen=True, slots=True)
class Binding:
    """Messages of `exchange` whose routing key matches `key` go to the queue."""

    exchange: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue with its arguments and bindings."""

    name: str
    arguments: dict[str, Any]
    bindings: tuple[Binding, ...] = ()


@dataclass(frozen=True, slots=True)
class Declarations:
    """Everything that must exist before a message is published, in this order."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...] = field(default=())


def queue_for(kind: Kind, operations: str, layout: Layout) -> str:
    """Return the work queue of a job: a pure function, so that every publisher agrees."""
    if kind == "text":
        return "text.jobs"
    if layout == "single":
        return "image.jobs"
    first = operations.split(";", 1)[0].split(",", 1)[0]
    return f"image.{first}" if first in IMAGE_POOLS else "image.other"


WORK_QUEUES = ("image.jobs", *(f"image.{pool}" for pool in IMAGE_POOLS), "text.jobs")


def filled_in(layout: Layout) -> tuple[str, ...]:
    """Return the work queues to which `queue_for` sends jobs in this layout."""
    return ("image.jobs", "text.jobs") if layout == "single" else WORK_QUEUES[1:]


def consumed_by(pool: str = "") -> tuple[str, ...]:
    """Return the work queues of a pool; of a worker without a pool: all of them.

    In either layout each queue of the other one has a consumer, for jobs wait there when the layout
    changes, and retry queues hand jobs back to the queue that they came from.
    """
    if not pool:
        return WORK_QUEUES
    return ("image.other", "text.jobs", "image.jobs") if pool == "other" else (f"image.{pool}",)


def retry_queue(queue: str, delay_s: int) -> str:
    """Return the delay queue that hands a message back to `queue` after `delay_s` seconds."""
    return f"{queue}.retry.{delay_s}s"


def _at_least_once(exchange: str) -> dict[str, Any]:
    # At-least-once dead-lettering needs reject-publish: the source queue keeps the message until the target
    # has confirmed it. Without it, killing the broker duplicated hundreds of messages on their way back.
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _work(name: str) -> Queue:
    return Queue(name, {**_at_least_once(DEAD), "x-delivery-limit": DELIVERY_LIMIT}, (Binding(JOBS, name),))


def _retry(name: str, delay_s: int, exchange: str = JOBS) -> Queue:
    # One delay a queue: messages expire at the head only, so a long delay would hold up short ones behind it.
    arguments = {
        **_at_least_once(exchange),
        "x-dead-letter-routing-key": name,
        "x-message-ttl": delay_s * 1000,
        "x-delivery-limit": NO_DELIVERY_LIMIT,
    }
    retry = retry_queue(name, delay_s)
    return Queue(retry, arguments, (Binding(exchange, retry),))


def _plain(name: str, *bindings: Binding, **arguments: Any) -> Queue:  # noqa: ANN401  (broker arguments)
    return Queue(
        name,
        {"x-queue-type": "quorum", "x-delivery-limit": NO_DELIVERY_LIMIT, **arguments},
        bindings,
    )


# Named one by one: job.changed is what the tracker itself publishes.
_JOB_EVENTS = tuple(Binding(EVENTS, name) for name in get_args(JobEvent))


def run_queue(run_id: str) -> Queue:
    """Return the queue in which a load run collects all events; it outlives a crash of the broker."""
    return _plain(f"run.{run_id}", *_JOB_EVENTS, **{"x-expires": 3_600_000})


def declarations() -> Declarations:
    """Return the whole topology."""
    work = tuple(_work(name) for name in WORK_QUEUES)
    retries = tuple(_retry(name, delay) for name in WORK_QUEUES for delay in RETRY_DELAYS_S)
    ends = (
        _plain(DEAD_LETTER, Binding(DEAD)),
        _plain(TRACKER_DEAD, Binding(DEAD)),
        # One active consumer: the order of events is the order of the table's seq.
        _plain(TRACKER_EVENTS, *_JOB_EVENTS, **{"x-single-active-consumer": True}),
        _plain(NOTIFIER_EVENTS, Binding(EVENTS, "job.completed"), Binding(EVENTS, "job.failed")),
    )
    webhooks = (
        _plain(NOTIFIER_WEBHOOKS, Binding(WEBHOOKS, NOTIFIER_WEBHOOKS)),
        *(_retry(NOTIFIER_WEBHOOKS, delay, WEBHOOKS) for delay in RETRY_DELAYS_S),
        _plain(TRACKER_WEBHOOKS, Binding(EVENTS, ATTEMPTED)),
    )
    exchanges = (
        Exchange(JOBS, "direct"),
        Exchange(EVENTS, "topic"),
        Exchange(DEAD, "fanout"),
        Exchange(WEBHOOKS, "direct"),
    )
    return Declarations(exchanges, (*work, *retries, *ends, *webhooks))
