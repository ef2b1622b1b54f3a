"""Attempts to rows: the delivery log of webhooks has a queue of its own, and never delays a job's row."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from services.common import dead_letters, metrics
from services.common.broker import Broker, Delivery
from services.common.errors import BadMessage, DatabaseUnavailable
from services.common.jobs import JobStore
from services.common.messages import WebhookAttempt
from services.common.topology import TRACKER_WEBHOOKS

log = logging.getLogger(__name__)

PREFETCH = 200
RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Pending:
    delivery: Delivery
    attempt: WebhookAttempt


class WebhookLog:
    """Writes attempts to the job table's database; what comes together is committed together."""

    def __init__(self, broker: Broker, store: JobStore, *, instance: str) -> None:
        self._broker = broker
        self._store = store
        self._instance = instance
        self._pending: asyncio.Queue[_Pending] = asyncio.Queue()

    async def run(self) -> None:
        """Consume and commit; what is not committed stays with the broker."""
        await self._broker.consume(TRACKER_WEBHOOKS, self._take, prefetch=PREFETCH)
        while True:
            batch = [await self._pending.get()]
            while not self._pending.empty():
                batch.append(self._pending.get_nowait())
            await self._commit([pending.attempt for pending in batch])
            for pending in batch:
                pending.delivery.ack()

    async def _take(self, delivery: Delivery) -> None:
        metrics.consumed(delivery.queue).inc()
        try:
            attempt = WebhookAttempt.decode(delivery.body)
        except BadMessage as error:
            log.warning("message_refused", extra={"queue": delivery.queue, "error": str(error)})
            await dead_letters.bury(
                self._broker, delivery, error, reason=dead_letters.BAD_MESSAGE, attempt=1, by=self._instance
            )
        else:
            self._pending.put_nowait(_Pending(delivery, attempt))

    async def _commit(self, attempts: list[WebhookAttempt]) -> None:
        while True:
            try:
                await asyncio.to_thread(self._store.note_attempts, attempts)
            except DatabaseUnavailable as error:
                log.warning("events_delayed", extra={"events": len(attempts), "error": str(error)})
                await asyncio.sleep(RETRY_S)
            else:
                return
