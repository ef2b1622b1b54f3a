"""Sends a workload to the API: every job has an intended time, and the actual one is kept beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from labkit.errors import ApiUnreachable
from labkit.load.arrivals import Arrivals, ClosedLoop
from labkit.load.records import Record
from labkit.load.workloads import Workload

if TYPE_CHECKING:
    from labkit.client import Answer, ApiClient

MAX_IN_FLIGHT = 64
CREATED, CONFLICT = 201, 409
TRIES = 20
PAUSE_S = 0.5


async def send(
    client: ApiClient,
    workload: Workload,
    records: Sequence[Record],
    arrivals: Arrivals,
    sent: Callable[[Record], None],
    max_in_flight: int = MAX_IN_FLIGHT,
) -> None:
    """Send each record when it is due, `max_in_flight` at once; call `sent` after each answer."""
    slots = asyncio.Semaphore(max_in_flight)
    queue = iter(records)

    async def timely(record: Record) -> None:
        await asyncio.sleep(max(0.0, record.intended_at - time.time()))
        async with slots:
            await _send(client, workload, record)
        sent(record)

    async def in_turn() -> None:
        for record in queue:
            record.intended_at = time.time()
            await _send(client, workload, record)
            sent(record)

    async with asyncio.TaskGroup() as group:
        if isinstance(arrivals, ClosedLoop):
            for _ in range(arrivals.concurrency):
                group.create_task(in_turn())
        else:
            for record in records:
                group.create_task(timely(record))


async def settle(client: ApiClient, workload: Workload, records: Sequence[Record]) -> None:
    """Send those again whose answer is unknown, under the same key: the API then tells the same job.

    What is unknown after `TRIES` rounds stays so.
    """
    for _ in range(TRIES):
        unknown = [record for record in records if record.unknown]
        if not unknown:
            return
        await asyncio.sleep(PAUSE_S)
        for record in unknown:
            record.resent += 1
            await _ask(client, workload, record)


async def _send(client: ApiClient, workload: Workload, record: Record) -> None:
    record.sent_at = time.time()
    await _ask(client, workload, record)
    record.answered_at = time.time()


async def _ask(client: ApiClient, workload: Workload, record: Record) -> None:
    planned, key = record.planned, record.key
    try:
        if planned.kind == "text":
            payload = {"sequence": planned.sequence}
            answer = await client.produce(payload, planned.processing_time_s, job_id=key)
        else:
            image = workload.images[planned.image]
            answer = await client.upload(image, planned.image, planned.operations, key=key)
    except ApiUnreachable as error:
        record.error = error.message
        return
    _note(record, answer)


def _note(record: Record, answer: Answer) -> None:
    record.status_code = answer.status
    record.job_id = str(answer.body.get("job_id") or answer.body.get("message_id") or "")
    record.error = answer.error
    if answer.status == CONFLICT and record.resent and record.planned.kind == "text":
        # The first request was carried out, and only its answer got lost: the job is there.
        record.status_code, record.job_id = CREATED, record.key
