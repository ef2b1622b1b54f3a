"""The dead-letter queue: look without taking, send again, purge.

Looking takes messages and gives them back at the end, since a broker has no other way to look; so only one
of these runs at a time in this program. A replay publishes a job, waits for the confirm and only then
acknowledges its letter: a crash in between sends the job once more, which overwrites the same result.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from services.common import dead_letters
from services.common.broker import Broker, Delivery, Reader
from services.common.dead_letters import DeadLetter
from services.common.envelopes import event_envelope, job_envelope
from services.common.errors import BadMessage
from services.common.messages import Clock, Event, Job
from services.common.topology import DEAD_LETTER, Layout, queue_for

log = logging.getLogger(__name__)

MAX_BROWSED = 5000
"""How many letters a look goes through."""

MAX_SECONDS = 20.0
"""How long one replay may take; the rest is left, and asked for again."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it lies in the queue; `job` is None when its bytes are no job."""

    job: Job | None
    about: DeadLetter
    message_id: str
    headers: dict[str, Any]
    size: int

    @property
    def job_id(self) -> str:
        """The job's id, or the message's where there is no job."""
        return self.job.job_id if self.job else self.message_id


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: the ids of jobs sent again, of letters that are no jobs, and how many are left."""

    job_ids: tuple[str, ...]
    skipped: tuple[str, ...]
    left: int


Wanted = Callable[[Letter], bool]


class Letters:
    """The dead-letter queue of one broker."""

    def __init__(self, broker: Broker, layout: Layout) -> None:
        self._broker = broker
        self._layout = layout
        self._one = asyncio.Lock()

    async def browse(self, limit: int, wanted: Wanted = lambda _: True) -> list[Letter]:
        """Return up to `limit` letters, oldest first; they stay in the queue.

        RabbitMQ puts what is given back behind the rest, so all are read each time, and sorted.
        """
        found: list[Letter] = []
        async with self._one, self._reading() as reader:
            for _ in range(MAX_BROWSED):
                delivery = await reader.next()
                if delivery is None:
                    break
                letter = _read(delivery)
                if wanted(letter):
                    found.append(letter)
        return sorted(found, key=lambda letter: letter.about.at)[:limit]

    async def replay(
        self,
        wanted: Wanted,
        *,
        rate_per_s: float | None = None,
        dry_run: bool = False,
        most: int | None = None,
    ) -> Replayed:
        """Send the jobs of wanted letters again, as a new generation, at most `rate_per_s` a second.

        No letter is read after `most` were sent.
        """
        done = _Progress(time.monotonic(), rate_per_s)
        async with self._one:
            # Letters that come back meanwhile are not for this replay: it would never end.
            there = (await self._broker.depth(DEAD_LETTER)).ready
            async with self._reading() as reader:
                for _ in range(there):
                    delivery = await reader.next()
                    if delivery is None:
                        break
                    letter = _read(delivery)
                    if not wanted(letter) or not done.takes(letter):
                        continue
                    if not dry_run and letter.job is not None:
                        await done.pace()
                        await self.send_again(letter.job)
                        delivery.ack()
                    done.sent.append(letter.job_id)
                    if len(done.sent) == most:
                        break
        return Replayed(tuple(done.sent), tuple(done.skipped), done.left)

    async def send_again(self, job: Job) -> Job:
        """Publish a job as a new generation; return it. Raise `BrokerUnavailable` without a confirm."""
        clock: Clock = {**job.clock, "published": time.time()}
        again = job.model_copy(update={"generation": job.generation + 1, "attempt": 0, "clock": clock})
        queue = queue_for(again.kind, again.operations, self._layout)
        await self._broker.publish(job_envelope(again, queue))
        queued = Event.of(again, "job.queued", attempt=1, clock=clock, queue=queue)
        await self._broker.publish(event_envelope(queued))
        log.info("job_replayed", extra={"job_id": again.job_id, "generation": again.generation})
        return again

    async def purge(self) -> int:
        """Drop all letters; return how many."""
        async with self._one:
            return await self._broker.purge(DEAD_LETTER)

    def _reading(self) -> AbstractAsyncContextManager[Reader]:
        return self._broker.reading(DEAD_LETTER)


@dataclass(slots=True)
class _Progress:
    begun: float
    rate_per_s: float | None
    sent: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    left: int = 0

    def takes(self, letter: Letter) -> bool:
        """Whether this letter's turn has come; what is no job is skipped, what is too late is left."""
        if letter.job is None:
            self.skipped.append(letter.job_id)
            return False
        if max(time.monotonic(), self._due()) - self.begun > MAX_SECONDS:
            self.left += 1
            return False
        return True

    async def pace(self) -> None:
        """Wait until the next one may be sent."""
        await asyncio.sleep(max(0.0, self._due() - time.monotonic()))

    def _due(self) -> float:
        return self.begun + (len(self.sent) / self.rate_per_s if self.rate_per_s else 0)


def _read(delivery: Delivery) -> Letter:
    try:
        job = Job.decode(delivery.body)
    except BadMessage:
        job = None
    spent = job.attempt if job else 0
    about = dead_letters.read(delivery, spent=spent, now=dead_letters.died_at(delivery))
    return Letter(job, about, delivery.message_id, dict(delivery.headers), len(delivery.body))
