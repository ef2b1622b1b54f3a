"""Downloads results and looks at them: the right format and size, and bytes that decode."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

from labkit.errors import ApiUnreachable
from labkit.load.records import Record
from labkit.load.workloads import Expected

if TYPE_CHECKING:
    from labkit.client import ApiClient

AT_ONCE = 4
FOUND, NOT_FINISHED = 200, 409
BEHIND_S = 20.0
POLL_S = 0.2


async def verify(client: ApiClient, records: Sequence[Record]) -> None:
    """Set `verified` on each completed record that has an expectation."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(record: Record, expected: Expected) -> None:
        async with slots:
            data = await _fetch(client, f"/jobs/{record.job_id}/result")
            record.verified = data is not None and await asyncio.to_thread(matches, data, expected)

    async with asyncio.TaskGroup() as group:
        for record in records:
            if record.outcome == "completed" and record.planned.expected:
                group.create_task(one(record, record.planned.expected))


async def _fetch(client: ApiClient, path: str) -> bytes | None:
    """Return the bytes, waiting while the job table is behind the events; None when there are none."""
    deadline = time.monotonic() + BEHIND_S
    while True:
        try:
            status, data = await client.download(path)
        except ApiUnreachable:
            return None
        if status == NOT_FINISHED and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
            continue
        return data if status == FOUND else None


def matches(data: bytes, expected: Expected) -> bool:
    """Return whether these bytes decode to an image of the expected format and size."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image.format == expected.format and image.size == (expected.width, expected.height)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False  # Pillow has a word of its own for each kind of damage
