"""What changes in the job table, as the API tells it; through restarts of the API, each change once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import aiohttp

from labkit.client import CONNECT_TIMEOUT_S
from labkit.errors import ApiUnreachable, LabError
from labkit.passes import LONG_S, NOBODY, Pass
from labkit.words import command

SILENCE_S = 40.0
"""The API says something every 15 s at least; when it does not, the connection is dead."""
AGAIN_S = 1.0

Change = dict[str, Any]
Query = Sequence[tuple[str, str]]


async def follow(
    url: str,
    query: Query,
    away: Callable[[str], None],
    after: int | None = None,
    entry: Pass = NOBODY,
) -> AsyncIterator[Change]:
    """Give each change from now on, or `after` one, of the jobs that `query` asks for.

    `url` is the API's address, and `entry` lets in; changes are as docs/api.md has them.
    While the API does not answer it is asked again each second; `away` is told why, once for each outage.
    Raises ApiUnreachable when it does not answer at first, and LabError when it refuses.
    """
    place, reached, told = after, False, False
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            reason = "it ended the connection"
            try:
                async for change in _connection(session, f"{url}/events", query, place, entry):
                    place, reached, told = change["seq"], True, False
                    if change["type"] == "change":
                        yield change
            except (aiohttp.ClientError, TimeoutError, _Busy) as error:
                if not reached:
                    raise ApiUnreachable.of(url, error) from error
                reason = str(error) or type(error).__name__
            if not told:
                away(reason)
                told = True
            await asyncio.sleep(AGAIN_S)


class _Busy(Exception):
    """The API has no place for one more, or ends the connection, and says why."""


async def _connection(
    session: aiohttp.ClientSession, url: str, query: Query, place: int | None, entry: Pass
) -> AsyncIterator[Change]:
    headers = entry.headers(LONG_S) | ({} if place is None else {"Last-Event-ID": str(place)})
    async with session.get(url, params=query, headers=headers) as response:
        if response.status == 503:  # noqa: PLR2004 - the number is its name
            raise _Busy((await response.json())["error"]["message"])
        if response.status != 200:  # noqa: PLR2004 - same
            error = (await response.json()).get("error", {})
            message = error.get("message") or f"answer {response.status} to /events"
            raise LabError(f"The API says: {message}.", error.get("hint") or f"See: {command('logs api')}")
        async for line in response.content:
            if line.startswith(b"data: "):
                told = json.loads(line[6:])
                if told["type"] == "bye":
                    raise _Busy(told["reason"])
                yield told
