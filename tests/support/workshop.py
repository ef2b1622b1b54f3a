"""A worker's consumer on the in-memory twins, with everything it does on record."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from services.common.broker import Delivery, Outgoing, Settlement
from services.common.envelopes import job_envelope
from services.common.messages import Event, Job
from services.common.testing import MemoryBroker, MemoryStore
from services.common.topology import DEAD, EVENTS, declarations
from services.worker.consumer import Consumer, Policy
from services.worker.faults import FaultSwitch
from services.worker.work import Done, Workshop
from tests.support.waiting import eventually


class RecordingBroker(MemoryBroker):
    """Remembers what was published, in order."""

    def __init__(self) -> None:
        super().__init__(declarations())
        self.log: list[str] = []
        self.published: list[Outgoing] = []

    def publish(self, message: Outgoing) -> asyncio.Future[None]:
        """Publish, and remember it when it is confirmed."""
        outcome = super().publish(message)
        if outcome.exception() is None:
            self.published.append(message)
            self.log.append(message.exchange if message.exchange == DEAD else message.routing_key)
        return outcome

    def events(self) -> list[Event]:
        """Return the events of jobs."""
        return [Event.decode(message.body) for message in self.published if message.exchange == EVENTS]


@dataclass(slots=True)
class Bench:
    """A consumer that nothing was delivered to yet."""

    policy: Policy = field(default_factory=lambda: Policy(instance="worker-1"))
    broker: RecordingBroker = field(default_factory=RecordingBroker)
    store: MemoryStore = field(default_factory=MemoryStore)
    workshop: Workshop = field(init=False)
    consumer: Consumer = field(init=False)

    def __post_init__(self) -> None:
        self.workshop = Workshop(
            self.store,
            FaultSwitch(self.broker, self.store),
            max_pixels=1_000_000,
            max_processing_time_s=5,
            concurrency=self.policy.concurrency,
        )
        self.consumer = Consumer(self.broker, self.workshop, self.policy)

    async def send(self, job: Job, queue: str = "") -> None:
        """Publish a job to its work queue, without a line in the log."""
        name = queue or ("text.jobs" if job.kind == "text" else "image.jobs")
        await MemoryBroker.publish(self.broker, job_envelope(job, name))

    def delivery(self, job: Job, **changes: Any) -> Delivery:  # noqa: ANN401  (any field of a delivery)
        """Return a delivery of a job whose settlement is a line in the log."""

        def settle(how: Settlement) -> None:
            self.broker.log.append(how)

        fields: dict[str, Any] = {
            "queue": "text.jobs" if job.kind == "text" else "image.jobs",
            "body": job.encode(),
            "headers": {},
            "exchange": "lab.jobs",
            "routing_key": "text.jobs",
            "message_id": job.job_id,
            "priority": 0,
            "redelivered": False,
            "delivery_count": 0,
            "settle": settle,
        }
        return Delivery(**(fields | changes))

    async def waiting(self, queue: str, count: int) -> None:
        """Wait until so many messages are ready in a queue."""

        async def reached() -> bool:
            return (await self.broker.depth(queue)).ready == count

        await eventually(reached)

    async def take(self, queue: str) -> Delivery:
        """Take the next message of a queue for good."""
        async with self.broker.reading(queue) as reader:
            delivery = await reader.next()
            assert delivery is not None, f"{queue} is empty"
            delivery.ack()
            return delivery

    def close(self) -> None:
        """End the threads."""
        self.workshop.close()


class HeldWorkshop(Workshop):
    """Does each job when it is told to, and notes how many it had at once."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.go = asyncio.Event()

    @classmethod
    def ready(cls) -> HeldWorkshop:
        """Return one that does each job at once."""
        workshop = cls()
        workshop.go.set()
        return workshop

    async def do(self, job: Job) -> Done:
        """Wait for the sign, then be done."""
        self.begun.append(job.job_id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.go.wait()
        self.at_once -= 1
        return Done((), {})

    def close(self) -> None:
        """Do nothing: there are no threads."""


class CrashingWorkshop(HeldWorkshop):
    """Meets a bug with each job."""

    async def do(self, job: Job) -> Done:
        """Fail as no code should."""
        self.begun.append(job.job_id)
        raise RuntimeError("a bug")
