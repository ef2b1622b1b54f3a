"""The faults that this worker is under: kept current, and brought about."""

from __future__ import annotations

import asyncio
import logging
import random
import time

from services.common import control
from services.common.broker import Broker, Delivery
from services.common.control import Faults
from services.common.errors import QueueLabError, StorageUnavailable, TransientError
from services.common.messages import Job
from services.common.storage import ObjectStore
from services.common.threads import detached
from services.common.topology import CONTROL, EVENTS

log = logging.getLogger(__name__)

RETRY_S = 1.0


class InjectedFault(TransientError):
    """This attempt fails on purpose; `labctl chaos clear` ends it."""

    code = "injected_fault"


class FaultSwitch:
    """Follows `control/faults.json`."""

    def __init__(self, broker: Broker, store: ObjectStore, chance: random.Random | None = None) -> None:
        self._broker = broker
        self._store = store
        self._chance = chance or random.Random()
        self.current = Faults()
        self._reading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def follow(self) -> None:
        """Read the faults, then again at each announcement. A store that is away is asked again."""
        await self._broker.listen(EVENTS, (CONTROL,), self._changed, made=self._read_soon)
        await self._read()

    async def before(self, job: Job) -> None:
        """Wait, or fail, as the faults in force say. Raise `InjectedFault`."""
        faults = self.current
        names = {"text"} if job.kind == "text" else {part.split(",")[0] for part in job.operations.split(";")}
        delay = sum(seconds for name, seconds in faults.delays_s.items() if name in names)
        if delay:
            await asyncio.sleep(delay)
        if faults.fail_rate and self._chance.random() < faults.fail_rate:
            raise InjectedFault

    def before_storage(self) -> None:
        """Wait before a call to the object store; in the thread that calls."""
        if self.current.store_latency_s:
            time.sleep(self.current.store_latency_s)

    async def _changed(self, delivery: Delivery) -> None:
        delivery.ack()
        await self._read()

    def _read_soon(self) -> None:
        """Read in the background: an announcement during a lost connection was missed."""
        task = asyncio.create_task(self._read())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self) -> None:
        # One after the other: what was read last must be what was written last.
        async with self._reading:
            await self._read_until_answered()

    async def _read_until_answered(self) -> None:
        while True:
            try:
                found = await detached(lambda: control.read_faults(self._store))
            except StorageUnavailable:
                await asyncio.sleep(RETRY_S)
            except QueueLabError as error:
                log.warning("message_refused", extra={"object": control.KEY, "error": str(error)})
                return
            else:
                if found != self.current:
                    self.current = found
                    log.info("faults_changed", extra=found.model_dump(exclude={"version"}))
                return
