"""Collects what happens to jobs, from a durable queue of the run's own: it outlives the broker's crash."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
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

    async def start(self, broker: Broker, run_id: str) -> None:
        """Begin to collect; events published from now on are kept until they are read."""
        await broker.consume(run_queue(run_id), self.take, prefetch=PREFETCH)

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

    def ended(self, job_ids: Iterable[str]) -> int:
        """Return how many of these jobs came to an end."""
        return sum(job_id in self.stories and self.stories[job_id].ended for job_id in job_ids)


async def discard(broker: Broker, run_id: str) -> None:
    """Remove the run's queue; without a broker it expires by itself."""
    try:
        await broker.delete(run_queue(run_id).name)
    except BrokerUnavailable:
        return
