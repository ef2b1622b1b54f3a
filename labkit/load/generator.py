"""Sends a workload to the API: every job has an intended time, and the actual one is kept beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from labkit.errors import ApiUnreachable
from labkit.load.records import Record
from labkit.load.workloads import Workload

if TYPE_CHECKING:
    from labkit.client import Answer, ApiClient

MAX_IN_FLIGHT = 64


async def send(
    client: ApiClient,
    workload: Workload,
    records: Sequence[Record],
    sent: Callable[[Record], None],
    max_in_flight: int = MAX_IN_FLIGHT,
) -> None:
    """Send each record at its intended time, `max_in_flight` at once; call `sent` after each answer."""
    slots = asyncio.Semaphore(max_in_flight)

    async def one(record: Record) -> None:
        await asyncio.sleep(max(0.0, record.intended_at - time.time()))
        async with slots:
            await _send(client, workload, record)
        sent(record)

    async with asyncio.TaskGroup() as group:
        for record in records:
            group.create_task(one(record))


async def _send(client: ApiClient, workload: Workload, record: Record) -> None:
    planned = record.planned
    record.sent_at = time.time()
    try:
        if planned.kind == "text":
            answer = await client.produce({"sequence": planned.sequence}, planned.processing_time_s)
        else:
            image = workload.images[planned.image]
            answer = await client.upload(image, planned.image, planned.operations)
    except ApiUnreachable as error:
        record.error = error.message
        return
    finally:
        record.answered_at = time.time()
    _note(record, answer)


def _note(record: Record, answer: Answer) -> None:
    record.status_code = answer.status
    record.job_id = str(answer.body.get("job_id") or answer.body.get("message_id") or "")
    record.error = answer.error
