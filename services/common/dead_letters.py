"""What travels with a dead letter: why it died, after how many attempts, and where it came from.

A worker writes these headers when it gives a job up. When the broker gives up (too many redeliveries),
its own `x-death` headers say so. The body stays the job itself, so that a replay can publish it again.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.common.broker import Broker, Delivery, Outgoing
from services.common.errors import QueueLabError
from services.common.messages import MAX_COUNT
from services.common.topology import DEAD, DELIVERY_LIMIT

PERMANENT = "permanent"
ATTEMPTS_SPENT = "attempts_spent"
BAD_MESSAGE = "bad_message"
CRASHED = "delivery_limit"
REASONS = (PERMANENT, ATTEMPTS_SPENT, BAD_MESSAGE, CRASHED)

_MESSAGE_LENGTH = 500
_WORD_LENGTH = 40
_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """The headers of a dead letter."""

    reason: str
    error_code: str
    error_message: str
    attempt: int
    origin: str
    worker: str
    at: float
    started: float | None = None
    """When the last attempt began; None when that is not known."""

    def headers(self) -> dict[str, Any]:
        """Return the headers to publish with the job."""
        headers = {
            "reason": self.reason,
            "error_code": self.error_code,
            "error_message": self.error_message[:_MESSAGE_LENGTH],
            "attempt": self.attempt,
            "origin": self.origin,
            "worker": self.worker,
            "at": str(self.at),
        }
        return headers if self.started is None else {**headers, "started": str(self.started)}


async def bury(
    broker: Broker,
    delivery: Delivery,
    error: QueueLabError,
    *,
    reason: str,
    attempt: int,
    by: str,
    started: float | None = None,
) -> None:
    """Publish a delivery, its body untouched, to the dead-letter queues; acknowledge it when confirmed.

    Raise `BrokerUnavailable` when it is not: the delivery is then still unsettled.
    """
    letter = DeadLetter(
        reason=reason,
        error_code=error.code,
        error_message=str(error),
        attempt=attempt,
        origin=delivery.queue,
        worker=by,
        at=time.time(),
        started=started,
    )
    await broker.publish(
        Outgoing(
            exchange=DEAD,
            routing_key=delivery.queue,
            body=delivery.body,
            message_id=delivery.message_id or uuid.uuid4().hex,
            headers=letter.headers(),
            priority=delivery.priority,
            mandatory=True,
        )
    )
    delivery.ack()


def read(delivery: Delivery, *, spent: int, now: float) -> DeadLetter:
    """Read the headers of a delivery from a dead-letter queue.

    `spent` is the number of attempts that the message itself carries, `now` the time to use when the
    broker dead-lettered it, since its own stamp is in whole seconds.
    """
    headers = delivery.headers
    if "reason" in headers:
        at = _time(headers.get("at"))
        return DeadLetter(
            reason=str(headers["reason"])[:_WORD_LENGTH],
            error_code=str(headers.get("error_code", ""))[:_WORD_LENGTH],
            error_message=str(headers.get("error_message", ""))[:_MESSAGE_LENGTH],
            attempt=_attempt(headers.get("attempt"), spent + 1),
            origin=str(headers.get("origin", ""))[:_NAME_LENGTH],
            worker=str(headers.get("worker", ""))[:_NAME_LENGTH],
            at=now if at is None else at,
            started=_time(headers.get("started")),
        )
    reason, origin = _last_death(headers)
    return DeadLetter(
        reason=reason,
        error_code=reason,
        error_message=_BROKER_WORDS.get(reason, f"RabbitMQ dead-lettered the message: {reason}"),
        attempt=spent + (DELIVERY_LIMIT + 1 if reason == CRASHED else 1),
        origin=origin,
        worker="",
        at=now,
    )


def died_at(delivery: Delivery) -> float:
    """Return when the broker dead-lettered a message, in whole seconds; 0 when it did not."""
    match delivery.headers.get("x-death"):
        case [{"time": datetime() as at}, *_]:
            return at.timestamp()
        case _:
            return 0.0


_BROKER_WORDS = {
    CRASHED: f"handed out {DELIVERY_LIMIT + 1} times and never acknowledged: "
    "its worker died each time, or the broker did",
}


def _last_death(headers: Mapping[str, Any]) -> tuple[str, str]:
    """Return reason and queue of the latest death: a stay in a retry queue is an earlier one.

    Older brokers tell it by the order of x-death only, newest first.
    See https://www.rabbitmq.com/docs/dlx#effects
    """
    match headers.get("x-death"):
        case [{"reason": reason, "queue": queue}, *_]:
            pass
        case _:
            reason, queue = "unknown", ""
    reason = headers.get("x-last-death-reason", reason)
    queue = headers.get("x-last-death-queue", queue)
    return str(reason)[:_WORD_LENGTH], str(queue)[:_NAME_LENGTH]


# Headers are written by whoever publishes to lab.dead, so they are read with care.


def _attempt(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and 1 <= value <= MAX_COUNT else otherwise


def _time(value: object) -> float | None:
    try:
        at = float(str(value))
    except ValueError:
        return None
    return at if math.isfinite(at) else None
