"""The order of writes that makes a 202 a promise.

original stored ▸ row pending ▸ job published, confirmed ▸ row queued ▸ answer

A failure before the row leaves nothing behind. Without a confirm nobody knows whether the broker has the
job: the row stays pending, a worker that gets the job moves it on, and the client is told so.
See https://www.rabbitmq.com/docs/confirms
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from services.api.errors import ApiError
from services.api.rows import Rows
from services.common import metrics
from services.common.broker import Broker
from services.common.envelopes import event_envelope, job_envelope
from services.common.errors import BrokerUnavailable, DatabaseUnavailable, QueueLabError, Unroutable
from services.common.jobs import NewJob
from services.common.messages import Clock, Event, Job
from services.common.topology import Layout, queue_for

log = logging.getLogger(__name__)

DRAIN_S = 3.0
MAX_MESSAGE = 500


class Publisher:
    """Registers jobs in the job table and sends them to their work queue."""

    def __init__(self, broker: Broker, rows: Rows, layout: Layout) -> None:
        self._broker = broker
        self._rows = rows
        self._layout = layout
        self._announcing: set[asyncio.Task[None]] = set()

    def check(self) -> None:
        """Raise when a job could not be sent now: before anything is read or stored for it."""
        if not self._broker.connected:
            raise ApiError("broker_unavailable", "there is no connection to RabbitMQ", close=True)
        if self._broker.blocked:
            raise ApiError(
                "broker_blocked", f"RabbitMQ takes no messages: {self._broker.blocked}", close=True
            )

    async def register(
        self,
        jobs: Sequence[Job],
        *,
        file_size: int = 0,
        batch_id: str | None = None,
        user_id: str | None = None,
        fingerprint: str | None = None,
    ) -> None:
        """Insert the rows, all or none; one that is there stays as it is. Raise `DatabaseUnavailable`."""
        born = [_birth(job, file_size) for job in jobs]
        await self._rows.add(
            [replace(job, batch_id=batch_id, user_id=user_id, fingerprint=fingerprint) for job in born]
        )

    async def send(self, job: Job) -> None:
        """Publish a registered job and wait for the confirm; raise an `ApiError` that carries its job_id."""
        queue = queue_for(job.kind, job.operations, self._layout)
        clock: Clock = {**job.clock, "published": time.time()}
        job = job.model_copy(update={"clock": clock})
        await self._publish(job, queue)
        metrics.messages_produced.labels(queue).inc()
        metrics.stage_seconds.labels("accept").observe(clock["published"] - clock["accepted"])
        try:
            await self._rows.mark_queued(job.job_id, clock)
        except DatabaseUnavailable as error:
            # The broker has the job, so the promise holds; job.queued moves the row later.
            log.warning("row_delayed", extra={"job_id": job.job_id, "error": str(error)})
        log.info("upload_accepted", extra={"job_id": job.job_id, "queue": queue})
        self._announce(Event.of(job, "job.queued", attempt=1, clock=clock, queue=queue))

    async def give_up(self, job: Job, *, reason: str, code: str, message: str) -> None:
        """Publish that a job has failed before it was sent; raise `BrokerUnavailable` without the confirm."""
        clock: Clock = {**job.clock, "finished": time.time()}
        failed = Event.of(
            job,
            "job.failed",
            attempt=1,
            clock=clock,
            reason=reason,
            error_code=code,
            error_message=message[:MAX_MESSAGE],
        )
        await self._broker.publish(event_envelope(failed))
        log.info("upload_refused", extra={"job_id": job.job_id, "reason": reason, "error": message})

    async def drain(self) -> None:
        """Let announcements under way end, for a few seconds."""
        if self._announcing:
            await asyncio.wait(self._announcing, timeout=DRAIN_S)

    async def _publish(self, job: Job, queue: str) -> None:
        try:
            await self._broker.publish(job_envelope(job, queue))
        except BrokerUnavailable as error:
            log.warning("publish_unconfirmed", extra={"job_id": job.job_id, "error": str(error)})
            raise ApiError("unconfirmed", str(error), job_id=job.job_id, outcome="unknown") from error
        except Unroutable as error:
            log.error("upload_failed", extra={"job_id": job.job_id, "error": str(error)})  # noqa: TRY400 - the message says all
            raise ApiError("unroutable", f"no queue {queue}", job_id=job.job_id, outcome="refused") from error

    def _announce(self, event: Event) -> None:
        task = asyncio.get_running_loop().create_task(self._publish_event(event))
        self._announcing.add(task)
        task.add_done_callback(self._announcing.discard)

    async def _publish_event(self, event: Event) -> None:
        try:
            await self._broker.publish(event_envelope(event))
        except QueueLabError as error:
            log.warning("publish_unconfirmed", extra={"job_id": event.job_id, "error": str(error)})
        else:
            metrics.messages_produced.labels(event.name).inc()


def _birth(job: Job, file_size: int) -> NewJob:
    return NewJob(
        job_id=job.job_id,
        kind=job.kind,
        operations=job.operations,
        filename=job.filename,
        original_key=job.original_key,
        file_size=file_size,
        priority=job.priority,
        callback_url=job.callback_url,
        created_at=job.clock["accepted"],
    )
