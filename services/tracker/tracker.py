"""Events to rows: the tracker keeps the job table up to date and tells live clients what changed.

Events are committed in batches, since a commit costs far more than a row. They are acknowledged after the
commit; what comes again then changes nothing. Dead letters become `job.failed` events here, whoever
dead-lettered them: a worker that gave up, or the broker when a message was handed out too often.

What changed is published after the commit, so it can get lost between the two: with the tracker, or with the
broker. Then the tracker says how far the table is as soon as it can, and who missed something reads it there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from services.common import dead_letters, metrics
from services.common.broker import Broker, Delivery
from services.common.dead_letters import DeadLetter
from services.common.envelopes import changes_envelope, event_envelope
from services.common.errors import BadMessage, BrokerUnavailable, DatabaseUnavailable
from services.common.jobs import JobStore
from services.common.messages import Changes, Clock, Event, Job
from services.common.topology import (
    NOTIFIER_EVENTS,
    NOTIFIER_WEBHOOKS,
    TRACKER_DEAD,
    TRACKER_EVENTS,
    TRACKER_WEBHOOKS,
)
from services.tracker import outcomes

log = logging.getLogger(__name__)

RETRY_S = 1.0
LINGER_S = 0.05
DEAD_PREFETCH = 50

NO_JOBS = (TRACKER_EVENTS, TRACKER_WEBHOOKS, NOTIFIER_EVENTS, NOTIFIER_WEBHOOKS)
"""A bad message of these queues looks much like the job that it is about, and says nothing about its fate."""


@dataclass(frozen=True, slots=True)
class _Pending:
    delivery: Delivery
    event: Event


class Tracker:
    """Applies events to the job table, at most `batch` in one commit."""

    def __init__(self, broker: Broker, store: JobStore, *, instance: str, batch: int) -> None:
        self._broker = broker
        self._store = store
        self._instance = instance
        self._batch = batch
        self._pending: asyncio.Queue[_Pending] = asyncio.Queue()
        self._untold = asyncio.Event()

    async def start(self) -> None:
        """Begin to consume."""
        outcomes.prepare()
        await self._broker.consume(TRACKER_EVENTS, self.take_event, prefetch=2 * self._batch)
        await self._broker.consume(TRACKER_DEAD, self.take_dead_letter, prefetch=DEAD_PREFETCH)

    async def take_event(self, delivery: Delivery) -> None:
        """Put an event in line for the next commit."""
        metrics.consumed(delivery.queue).inc()
        try:
            event = Event.decode(delivery.body)
        except BadMessage as error:
            log.warning("message_refused", extra={"queue": delivery.queue, "error": str(error)})
            await dead_letters.bury(
                self._broker, delivery, error, reason=dead_letters.BAD_MESSAGE, attempt=1, by=self._instance
            )
            return
        self._pending.put_nowait(_Pending(delivery, event))

    async def take_dead_letter(self, delivery: Delivery) -> None:
        """Publish `job.failed` for a dead letter; one that is no job stays in the dead-letter queue only."""
        metrics.consumed(delivery.queue).inc()
        try:
            job = Job.decode(delivery.body)
        except BadMessage as error:
            log.warning("message_refused", extra={"queue": delivery.queue, "error": str(error)})
            delivery.ack()
            return
        letter = dead_letters.read(delivery, spent=job.attempt, now=time.time())
        if letter.origin in NO_JOBS:
            delivery.ack()
            return
        failed = Event.of(
            job,
            "job.failed",
            attempt=letter.attempt,
            clock=_clock(job, letter),
            worker=letter.worker or None,
            queue=letter.origin or None,
            reason=letter.reason,
            error_code=letter.error_code,
            error_message=letter.error_message,
        )
        try:
            await self._broker.publish(event_envelope(failed))
        except BrokerUnavailable as error:
            log.warning("publish_unconfirmed", extra={"job_id": job.job_id, "error": str(error)})
            delivery.reject(requeue=True)
        else:
            delivery.ack()

    async def run(self) -> None:
        """Commit what is in line, batch after batch, and make up for what could not be told."""
        self._untold.set()  # an earlier run may have ended between a commit and telling of it
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._commit_forever())
            tasks.create_task(self._make_up_forever())

    async def _commit_forever(self) -> None:
        while True:
            batch = [await self._pending.get()]
            if self._pending.qsize() < self._batch - 1:
                # Few events: let more come, since a commit costs several times as much as a row.
                await asyncio.sleep(LINGER_S)
            while len(batch) < self._batch and not self._pending.empty():
                batch.append(self._pending.get_nowait())
            changes = await self._commit([pending.event for pending in batch])
            for pending in batch:
                pending.delivery.ack()
            log.debug("events_applied", extra={"events": len(batch), "changes": len(changes.rows)})
            outcomes.count(changes)
            if changes.rows:
                await self._tell(changes)

    async def _commit(self, events: list[Event]) -> Changes:
        while True:
            try:
                return await asyncio.to_thread(self._store.apply, events)
            except DatabaseUnavailable as error:
                log.warning("events_delayed", extra={"events": len(events), "error": str(error)})
                await asyncio.sleep(RETRY_S)

    async def _tell(self, changes: Changes) -> None:
        try:
            await self._broker.publish(changes_envelope(changes))
        except BrokerUnavailable as error:
            log.warning("publish_unconfirmed", extra={"error": str(error)})
            self._untold.set()

    async def _make_up_forever(self) -> None:
        while True:
            await self._untold.wait()
            self._untold.clear()
            await self._broker.ready()
            try:
                last = await asyncio.to_thread(self._store.last_seq)
            except DatabaseUnavailable:
                self._untold.set()
            else:
                await self._tell(Changes(after=last))
            if self._untold.is_set():
                await asyncio.sleep(RETRY_S)


def _clock(job: Job, letter: DeadLetter) -> Clock:
    """Return the stage clock of a dead job; the letter of a broker does not tell when it was begun."""
    begun: Clock = {} if letter.started is None else {"started": letter.started}
    return {**job.clock, **begun, "finished": letter.at}
