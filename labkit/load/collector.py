"""Collects what happens to jobs, from a durable queue of the run's own: it outlives the broker's crash.

While a run goes on, an event costs little: its id says which job it is about and what happened, and its body
is kept as it came. It is read when somebody asks for the job's story.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from labkit.load.records import Story
from services.common.broker import Broker, Delivery
from services.common.errors import BadMessage, BrokerUnavailable
from services.common.messages import Event
from services.common.topology import run_queue

# The loop is not held up for longer than so many events take.
PREFETCH = 100
ENDS = ("job.completed", "job.failed")
UNREAD = ("job.queued",)


@dataclass(slots=True)
class Collector:
    """What the events say of the jobs of this run; those of other runs pass by too, and do not count."""

    refused: int = 0
    """Messages that were no events."""
    ended: int = 0
    """How many expected jobs came to an end."""
    seen: int = 0
    """How many events of expected jobs came, duplicates not counted."""
    progress: asyncio.Event = field(default_factory=asyncio.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _expected: set[str] = field(default_factory=set)
    _ended: set[str] = field(default_factory=set)
    _events: defaultdict[str, dict[str, tuple[float, bytes]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _stories: dict[str, Story] = field(default_factory=dict)

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

    @property
    def open(self) -> int:
        """How many expected jobs have no end yet."""
        return len(self._expected) - self.ended

    def expect(self, job_id: str) -> None:
        """Count what happens, or has happened already, to this job."""
        if job_id in self._expected:
            return
        self._expected.add(job_id)
        self.ended += job_id in self._ended
        self.seen += len(self._events.get(job_id, ()))

    async def take(self, delivery: Delivery) -> None:
        """Add an event; one that was seen before changes nothing."""
        delivery.ack()
        job_id, name = _parts(delivery.message_id)
        if not name.startswith("job."):
            self.refused += 1
            return
        with self._lock:
            known = self._events[job_id]
            if delivery.message_id in known:
                return
            known[delivery.message_id] = (time.time(), b"" if name in UNREAD else delivery.body)
        self._count(job_id, name)

    def story(self, job_id: str) -> Story:
        """Return what is known of a job by now; any thread may ask."""
        with self._lock:
            story = self._stories.setdefault(job_id, Story())
            for event_id, (at, body) in self._events.pop(job_id, {}).items():
                self._read(story, event_id, at, body)
        return story

    def _count(self, job_id: str, name: str) -> None:
        mine = job_id in self._expected
        self.seen += mine
        if name in ENDS and job_id not in self._ended:
            self._ended.add(job_id)
            self.ended += mine
        self.progress.set()

    def _read(self, story: Story, event_id: str, at: float, body: bytes) -> None:
        if not body:
            story.seen.add(event_id)
            return
        try:
            story.take(Event.decode(body), at)
        except BadMessage:
            self.refused += 1


def _parts(event_id: str) -> tuple[str, str]:
    """Return job and name of `job:generation:attempt:name`."""
    job_id, _, rest = event_id.partition(":")
    return job_id, rest.rpartition(":")[2]
