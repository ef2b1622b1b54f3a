"""From a delivery to its acknowledgement, which comes last: until then the broker keeps the job.

delivery ▸ job.started ▸ work ▸ job.completed, confirmed ▸ ack
                           ├─ transient error ▸ retry queue, confirmed ▸ ack
                           ├─ permanent error ▸ lab.dead, confirmed ▸ ack
                           └─ this process dies ▸ the broker delivers again
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field, replace
from typing import Any

from services.common import dead_letters, metrics
from services.common.broker import Broker, Delivery, Subscription
from services.common.envelopes import event_envelope, job_envelope
from services.common.errors import BadMessage, BrokerUnavailable, QueueLabError
from services.common.messages import Clock, Event, Job, JobEvent, Stage
from services.common.topology import retry_queue
from services.worker.retries import AckPolicy, GiveUp, Retry, RetryPolicy, after_failure
from services.worker.work import Workshop

log = logging.getLogger(__name__)

FIRST_S = 1.0
"""How long a queue that holds something may take to hand out its first message."""


@dataclass(slots=True)
class Tally:
    """What this worker has done since it started, and what it has in hand."""

    done: int = 0
    failed: int = 0
    retried: int = 0
    in_hand: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery of one job."""

    delivery: Delivery
    job: Job
    number: int
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a worker takes jobs, and what it does with them."""

    instance: str
    prefetch: int = 1
    concurrency: int = 1
    retry: RetryPolicy = "delayed"
    ack: AckPolicy = "late"


class Consumer:
    """Takes jobs from work queues, `concurrency` at once."""

    def __init__(self, broker: Broker, workshop: Workshop, policy: Policy) -> None:
        self._broker = broker
        self._workshop = workshop
        self._policy = policy
        self._slots = asyncio.Semaphore(policy.concurrency)
        self._subscriptions: list[Subscription] = []
        self._firsts: dict[str, asyncio.Event] = {}
        """Of queues that have not handed out anything yet: set when their first message is out of the way."""
        self.stopping = False
        self.tally = Tally()

    async def start(self, queues: tuple[str, ...]) -> None:
        """Begin to consume, one queue after the other, in an order that differs each time.

        What was in hand when a worker died comes first from its queue, and may be the job that killed it. It
        is done before the next queue is asked: else its neighbours would be in hand again when it kills this
        worker too, and reach the delivery limit with it.
        """
        await self._broker.ready()
        for queue in random.sample(queues, len(queues)):
            waiting = await self._waiting(queue)
            first = self._firsts[queue] = asyncio.Event()
            self._subscriptions.append(
                await self._broker.consume(queue, self.handle, prefetch=self._policy.prefetch)
            )
            if waiting:
                await self._out_of_the_way(queue, first)

    async def _waiting(self, queue: str) -> bool:
        try:
            return (await self._broker.depth(queue)).ready > 0
        except BrokerUnavailable:
            return False  # the next connection starts all subscriptions at once

    async def _out_of_the_way(self, queue: str, first: asyncio.Event) -> None:
        """Wait for the first message of a queue: until it is done when it was handed out before."""
        try:
            async with asyncio.timeout(FIRST_S):
                await first.wait()
        except TimeoutError:
            if queue not in self._firsts:
                await first.wait()
            # Else nothing came: another worker was faster.

    async def stop(self) -> None:
        """Take no new jobs, finish and acknowledge those in hand."""
        self.stopping = True
        for subscription in self._subscriptions:
            await subscription.cancel()
        for _ in range(self._policy.concurrency):
            await self._slots.acquire()

    async def handle(self, delivery: Delivery) -> None:
        """Bring one delivery to its end."""
        first = self._firsts.pop(delivery.queue, None)
        if first and not delivery.redelivered:
            first.set()
        try:
            await self._handle_in_turn(delivery)
        finally:
            if first:
                first.set()

    async def _handle_in_turn(self, delivery: Delivery) -> None:
        async with self._slots:
            if self.stopping:
                # Prefetched but not begun: left unacknowledged, so that closing the connection gives it back.
                return
            metrics.consumed(delivery.queue).inc()
            if self._policy.ack == "early":
                delivery = _acknowledged(delivery)
            with metrics.message_processing.labels(delivery.queue).time():
                await self._handle(delivery)

    async def _handle(self, delivery: Delivery) -> None:
        try:
            job = Job.decode(delivery.body)
        except BadMessage as error:
            metrics.processing_errors.labels(error.code).inc()
            await self._give_up(delivery, error, dead_letters.BAD_MESSAGE)
            return
        number = job.attempt + delivery.delivery_count + 1
        attempt = Attempt(delivery, job, number, {**job.clock, "started": time.time()})
        self.tally.in_hand.append(job.job_id)
        try:
            await self._carry_out(attempt)
        except BrokerUnavailable as error:
            # Unconfirmed is not done: the message goes back, or has gone back with the lost connection.
            log.warning("publish_unconfirmed", extra={"job_id": job.job_id, "error": str(error)})
            delivery.reject(requeue=True)
        finally:
            self.tally.in_hand.remove(job.job_id)

    async def _carry_out(self, attempt: Attempt) -> None:
        job, delivery = attempt.job, attempt.delivery
        log.info("job_started", extra={"job_id": job.job_id, "attempt": attempt.number})
        started = self._event(attempt, "job.started", redelivered=delivery.redelivered)
        # Its confirm is awaited with the last one: order on one channel is kept without the wait in between.
        announced = self._broker.publish(event_envelope(started))
        try:
            done = await self._workshop.do(job)
        except QueueLabError as error:
            await announced
            await self._fail(attempt, error)
            return
        attempt.clock.update(done.clock)
        attempt.clock["finished"] = time.time()
        completed = self._event(attempt, "job.completed", outputs=done.outputs)
        told = self._broker.publish(event_envelope(completed))
        await announced
        await told
        delivery.ack()
        self.tally.done += 1
        _observe(attempt.clock)
        log.info("job_completed", extra={"job_id": job.job_id, "attempt": attempt.number})

    async def _fail(self, attempt: Attempt, error: QueueLabError) -> None:
        metrics.processing_errors.labels(error.code).inc()
        decision = after_failure(error, attempt.number, self._policy.retry)
        if isinstance(decision, GiveUp):
            await self._give_up(attempt.delivery, error, decision.reason, attempt)
        elif isinstance(decision, Retry):
            await self._retry(attempt, error, decision)
        else:
            attempt.delivery.nack()

    async def _retry(self, attempt: Attempt, error: QueueLabError, decision: Retry) -> None:
        again = attempt.job.model_copy(update={"attempt": attempt.number})
        queue = retry_queue(attempt.delivery.queue, decision.delay_s)
        retrying = self._event(
            attempt,
            "job.retrying",
            error_code=error.code,
            error_message=str(error)[:500],
            retry_in_s=decision.delay_s,
        )
        await self._broker.publish(event_envelope(retrying))
        await self._broker.publish(job_envelope(again, queue))
        attempt.delivery.ack()
        self.tally.retried += 1
        log.warning(
            "job_retried",
            extra={"job_id": again.job_id, "error": str(error), "retry_in_s": decision.delay_s},
        )

    async def _give_up(
        self, delivery: Delivery, error: QueueLabError, reason: str, attempt: Attempt | None = None
    ) -> None:
        # The tracker makes job.failed of it, as it does of what the broker dead-letters by itself.
        await dead_letters.bury(
            self._broker,
            delivery,
            error,
            reason=reason,
            attempt=attempt.number if attempt else 1,
            by=self._policy.instance,
            started=attempt.clock["started"] if attempt else None,
        )
        self.tally.failed += 1
        log.error(
            "job_dead_lettered",
            extra={"job_id": delivery.message_id, "reason": reason, "error": str(error)},
        )

    def _event(self, attempt: Attempt, name: JobEvent, **more: Any) -> Event:  # noqa: ANN401
        return Event.of(
            attempt.job,
            name,
            attempt=attempt.number,
            clock=attempt.clock,
            worker=self._policy.instance,
            queue=attempt.delivery.queue,
            **more,
        )


def _acknowledged(delivery: Delivery) -> Delivery:
    """Acknowledge before the work; nothing that comes after can give the message back."""
    delivery.ack()
    return replace(delivery, settle=lambda _: None)


_SPANS: tuple[tuple[str, Stage, Stage], ...] = (
    ("queue_wait", "published", "started"),
    ("fetch", "started", "fetched"),
    ("process", "fetched", "processed"),
    ("store", "processed", "stored"),
)


def _observe(clock: Clock) -> None:
    for name, begin, end in _SPANS:
        if begin in clock and end in clock:
            metrics.stage_seconds.labels(name).observe(max(0.0, clock[end] - clock[begin]))
