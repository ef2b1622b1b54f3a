"""Downloads results and looks at them: the right format and size, and bytes that decode."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

from labkit.errors import ApiUnreachable
from labkit.load.records import Record
from labkit.load.workloads import Expected

if TYPE_CHECKING:
    from labkit.client import ApiClient

AT_ONCE = 4


async def verify(client: ApiClient, records: Sequence[Record]) -> None:
    """Set `verified` on each completed record that has an expectation."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(record: Record, expected: Expected) -> None:
        async with slots:
            try:
                data, _ = await client.download(f"/jobs/{record.job_id}/result")
            except ApiUnreachable:
                record.verified = False
                return
            record.verified = await asyncio.to_thread(matches, data, expected)

    async with asyncio.TaskGroup() as group:
        for record in records:
            if record.outcome == "completed" and record.planned.expected:
                group.create_task(one(record, record.planned.expected))


def matches(data: bytes, expected: Expected) -> bool:
    """Return whether these bytes decode to an image of the expected format and size."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image.format == expected.format and image.size == (expected.width, expected.height)
    except OSError:
        return False
