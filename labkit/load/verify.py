"""Downloads results and looks at them: the right format and size, and bytes that decode."""

from __future__ import annotations

import asyncio
import io
import random
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
FOUND, NOT_FINISHED, SERVER_ERROR = 200, 409, 500
BEHIND_S = 20.0
POLL_S = 0.2
SEED = 1


async def verify(client: ApiClient, records: Sequence[Record], sample: int | None = None) -> None:
    """Set `verified` on completed records that have an expectation: on all, or on `sample` of them.

    It stays None where nobody gave an answer. The sample is drawn with a fixed seed, so that the same run is
    looked at in the same places.
    """
    slots = asyncio.Semaphore(AT_ONCE)
    given_up = asyncio.Event()

    async def one(record: Record, expected: Expected) -> None:
        async with slots:
            status, data = await _fetch(client, f"/jobs/{record.job_id}/result", given_up)
            if status is None or status >= SERVER_ERROR:
                return
            record.verified = status == FOUND and await asyncio.to_thread(matches, data, expected)

    async with asyncio.TaskGroup() as group:
        for record in _sampled(records, sample):
            if record.planned.expected:
                group.create_task(one(record, record.planned.expected))


def _sampled(records: Sequence[Record], sample: int | None) -> list[Record]:
    found = [record for record in records if record.outcome == "completed" and record.planned.expected]
    return found if sample is None or sample >= len(found) else random.Random(SEED).sample(found, sample)


async def _fetch(client: ApiClient, path: str, given_up: asyncio.Event) -> tuple[int | None, bytes]:
    """Return status and bytes; None is no answer.

    Wait while the job table is behind the events, or the API or its store is away: until `given_up`.
    """
    deadline = time.monotonic() + BEHIND_S
    while True:
        status: int | None
        try:
            status, data = await client.download(path)
        except ApiUnreachable:
            status, data = None, b""
        settled = status is not None and status != NOT_FINISHED and status < SERVER_ERROR
        if settled:
            return status, data
        if given_up.is_set() or time.monotonic() >= deadline:
            given_up.set()  # those that come after need not wait as long for the same
            return status, data
        await asyncio.sleep(POLL_S)


def matches(data: bytes, expected: Expected) -> bool:
    """Return whether these bytes decode to an image of the expected format and size."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image.format == expected.format and image.size == (expected.width, expected.height)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False  # Pillow has a word of its own for each kind of damage
