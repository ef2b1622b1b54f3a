"""Listeners of every kind at every API of a stack, that connect again by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from anyio.from_thread import start_blocking_portal

from labkit.follow import AGAIN_S, follow
from services.common.broker import Delivery
from services.common.jobs import Wanted
from services.common.messages import Changes
from services.common.topology import CHANGED, EVENTS
from tests.acceptance.stack import Stack, eventually

WAYS = ("sse", "websocket")
MOST = 10_000

Told = dict[str, Any]


@dataclass
class Ear:
    """A listener and what it was told. outages: how often its API was away."""

    way: str
    url: str
    after: int
    told: list[Told] = field(default_factory=list)
    outages: int = 0

    @property
    def seqs(self) -> list[int]:
        """The places of what was told, as it came."""
        return [change["seq"] for change in self.told]

    @property
    def latest(self) -> dict[str, int]:
        """The place of the last change of each job."""
        return {change["job_id"]: change["seq"] for change in self.told}

    async def listen(self) -> None:
        """Listen for ever."""
        changes = follow(self.url, (), self._away, self.after) if self.way == "sse" else self._socket()
        async for change in changes:
            self.told.append(change)

    def _away(self, _: str) -> None:
        self.outages += 1

    async def _socket(self) -> AsyncIterator[Told]:
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    after = self.told[-1]["seq"] if self.told else self.after
                    async with session.ws_connect(f"{self.url}/ws?after={after}") as connection:
                        async for message in connection:
                            if (told := json.loads(message.data))["type"] == "change":
                                yield told
                self.outages += 1
                await asyncio.sleep(AGAIN_S)


@dataclass(frozen=True)
class Ears:
    """Ears, and what the tracker published meanwhile. start: the place where all of them began."""

    stack: Stack
    start: int
    ears: Sequence[Ear]
    published: list[int]

    def heard_all(self) -> dict[str, int]:
        """Wait until all ears know the place of each job in the table; return those places."""
        eventually(lambda: all(ear.latest == self.table() for ear in self.ears), 30)
        return self.table()

    def table(self) -> dict[str, int]:
        """Return the place of each job that changed."""
        with contextlib.closing(self.stack.access.jobs()) as table:
            return {change.job_id: change.seq for change in table.changes(self.start, Wanted(), MOST)}


@contextlib.contextmanager
def listening(stack: Stack) -> Iterator[Ears]:
    """Listen at all APIs of the stack in every way while the block runs."""
    with contextlib.closing(stack.access.jobs()) as table:
        start = table.last_seq()
    apis = [found.name for found in stack.runtime.instances() if found.service == "api"]
    ears = [Ear(way, stack.runtime.address(name), start) for name in apis for way in WAYS]
    published: list[int] = []

    async def take(delivery: Delivery) -> None:
        delivery.ack()
        published.extend(row.seq for row in Changes.decode(delivery.body).rows)

    async def listen() -> None:
        async with stack.access.broker() as broker:
            await broker.ready(10)
            await broker.listen(EVENTS, (CHANGED,), take)
            tasks = [asyncio.create_task(ear.listen()) for ear in ears]
            await over.wait()
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends

    over = asyncio.Event()
    with start_blocking_portal() as portal:
        hearing = portal.start_task_soon(listen)
        try:
            yield Ears(stack, start, ears, published)
        finally:
            portal.call(over.set)
            hearing.result(20)
