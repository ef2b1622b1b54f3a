"""Many listeners in a process of their own: `python -m labkit.bench.listening {sse|websocket} COUNT URL…`.

They spread over the addresses. The first line on its standard input has the headers of their requests, as
JSON. It prints a line when all are connected, and after another line what they were told, as JSON: how
late each change came, and whether all of them got the same.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import aiohttp

PLACE = re.compile(rb'"seq":(\d+)')
"""A change's place in the order counts the microseconds of the clock at its commit."""

QUIET_S = 1.0


@dataclass
class Heard:
    """What one listener was told: places in the order, and how late each was known here, seconds."""

    seqs: list[int] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)

    def note(self, data: bytes) -> None:
        """Note the change in a line, or the place in a greeting."""
        if found := PLACE.search(data):
            seq = int(found[1])
            self.seqs.append(seq)
            self.delays_s.append(time.time() - seq / 1e6)


async def listen(way: str, count: int, urls: Sequence[str]) -> dict[str, object]:
    """Connect, wait for the word, and return what was told."""
    heard = [Heard() for _ in range(count)]
    endless = aiohttp.ClientTimeout(total=None)
    headers = json.loads(await asyncio.to_thread(sys.stdin.readline))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=endless, headers=headers) as session:
        tasks = [
            asyncio.create_task(_one(session, way, urls[number % len(urls)], each))
            for number, each in enumerate(heard)
        ]
        while not all(each.seqs for each in heard):
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.05)
        for each in heard:
            del each.seqs[0], each.delays_s[0]  # the greeting
        sys.stdout.write("connected\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        await _quiet(heard)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return _summed(heard)


async def _one(session: aiohttp.ClientSession, way: str, url: str, heard: Heard) -> None:
    async for data in _stream(session, url) if way == "sse" else _socket(session, url):
        heard.note(data)
    raise ConnectionError(f"{url} ended a connection")


async def _stream(session: aiohttp.ClientSession, url: str) -> AsyncIterator[bytes]:
    async with session.get(f"{url}/events") as response:
        response.raise_for_status()
        async for line in response.content:
            if line.startswith(b"data: "):
                yield line


async def _socket(session: aiohttp.ClientSession, url: str) -> AsyncIterator[bytes]:
    async with session.ws_connect(f"{url}/ws") as connection:
        async for message in connection:
            yield message.data.encode()


async def _quiet(heard: Sequence[Heard]) -> None:
    """Wait until nothing more comes."""
    before = -1
    while (now := sum(len(each.seqs) for each in heard)) != before:
        before = now
        await asyncio.sleep(QUIET_S)


def _summed(heard: Sequence[Heard]) -> dict[str, object]:
    told = sorted({seq for each in heard for seq in each.seqs})
    return {
        "changes": len(told),
        "whole": sum(each.seqs == told for each in heard),
        "delays_s": [delay for each in heard for delay in each.delays_s],
    }


if __name__ == "__main__":
    json.dump(asyncio.run(listen(sys.argv[1], int(sys.argv[2]), sys.argv[3:])), sys.stdout)
