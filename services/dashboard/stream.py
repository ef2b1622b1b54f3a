"""Server-sent events, read: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its name, its place in the stream, and its data."""

    name: str
    place: str
    data: dict[str, Any]


async def events(lines: AsyncIterable[bytes]) -> AsyncIterator[Told]:
    """Give the events in the lines of a stream; comments and what is no JSON object are passed over."""
    name, place, data = "message", "", ""
    async for raw in lines:
        line = raw.decode(errors="replace").rstrip("\r\n")
        if not line:
            if (found := _object(data)) is not None:
                yield Told(name, place, found)
            name, data = "message", ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "id":
            place = value
        elif field == "data":
            data = f"{data}\n{value}" if data else value


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
