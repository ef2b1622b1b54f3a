"""Collects what happens to jobs, from a durable queue of the run's own: it outlives the broker's crash."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from labkit.load.records import Story
from services.common.broker import Broker, Delivery
from services.common.errors import BadMessage, BrokerUnavailable
from services.common.messages import Event
from services.common.topology import run_queue

PREFETCH = 500


@dataclass(slots=True)
class Collector:
    """The stories of all jobs whose events pass by; those of other runs are there too, and ignored."""

    stories: defaultdict[str, Story] = field(default_factory=lambda: defaultdict(Story))
    refused: int = 0
    """Messages that were no events."""
    progress: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def collecting(self, broker: Broker, run_id: str) -> AsyncIterator[None]:
        """Collect while the block runs: its events are kept until they are read, whatever happens to us."""
        queue = run_queue(run_id)
        subscription = await broker.consume(queue, self.take, prefetch=PREFETCH)
        try:
            yield
        finally:
            # Without a broker the queue expires by itself.
            with contextlib.suppress(BrokerUnavailable):
                await subscription.cancel()
                await broker.delete(queue.name)

    async def take(self, delivery: Delivery) -> None:
        """Add an event."""
        try:
            event = Event.decode(delivery.body)
        except BadMessage:
            self.refused += 1
        else:
            self.stories[event.job_id].take(event, time.time())
            self.progress.set()
        delivery.ack()

    def seen(self, job_ids: Iterable[str]) -> int:
        """Return how many events of these jobs came, duplicates not counted."""
        return sum(len(self.stories[job_id].seen) for job_id in job_ids if job_id in self.stories)

    def ended(self, job_ids: Iterable[str]) -> int:
        """Return how many of these jobs came to an end."""
        return sum(job_id in self.stories and self.stories[job_id].ended for job_id in job_ids)
