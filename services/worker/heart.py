"""A worker's heartbeat: once a second, what it does, for the monitor and for `labctl`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from typing import Literal

from services.common import metrics
from services.common.broker import Broker
from services.common.envelopes import heartbeat_envelope
from services.common.errors import BrokerUnavailable
from services.common.messages import Heartbeat
from services.worker.consumer import Consumer
from services.worker.settings import WorkerSettings

INTERVAL_S = 1.0


class Heart:
    """Beats until it is cancelled."""

    def __init__(self, broker: Broker, consumer: Consumer, settings: WorkerSettings, url: str) -> None:
        self._broker = broker
        self._consumer = consumer
        self._settings = settings
        self._url = url
        self._started_at = time.time()

    async def beat_forever(self) -> None:
        """Publish a heartbeat each second; one that the broker does not get is not missed."""
        while True:
            busy = bool(self._consumer.tally.in_hand)
            if busy:
                metrics.worker_busy_seconds.inc(INTERVAL_S)
            metrics.worker_jobs_in_hand.set(len(self._consumer.tally.in_hand))
            with contextlib.suppress(BrokerUnavailable):
                await self._broker.publish(heartbeat_envelope(self._heartbeat()))
            await asyncio.sleep(INTERVAL_S)

    def _heartbeat(self) -> Heartbeat:
        tally, settings = self._consumer.tally, self._settings
        return Heartbeat(
            instance=settings.instance,
            host=socket.gethostname(),
            pid=os.getpid(),
            url=self._url,
            at=time.time(),
            started_at=self._started_at,
            queues=settings.consumed,
            prefetch=settings.prefetch,
            concurrency=settings.concurrency,
            state=self._state(),
            job_ids=tuple(tally.in_hand),
            stage=self._consumer.stage,
            done=tally.done,
            failed=tally.failed,
            retried=tally.retried,
        )

    def _state(self) -> Literal["idle", "busy", "stopping"]:
        if self._consumer.stopping:
            return "stopping"
        return "busy" if self._consumer.tally.in_hand else "idle"
