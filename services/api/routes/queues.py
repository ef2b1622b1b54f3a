"""GET /queues and /dlq/stats: what waits, and what was given up."""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.api.context import context
from services.api.views import iso
from services.common.topology import DEAD_LETTER, RETRY_DELAYS_S, WORK_QUEUES, retry_queue

router = APIRouter()

ALWAYS = (*WORK_QUEUES, DEAD_LETTER)
RETRY_QUEUES = tuple(retry_queue(name, delay_s) for name in WORK_QUEUES for delay_s in RETRY_DELAYS_S)


@router.get("/queues")
async def queues(request: Request) -> Response:
    """Return the work queues, the dead-letter queue, and the retry queues that hold something."""
    broker = context(request).broker
    names = (*ALWAYS, *RETRY_QUEUES)
    depths = await asyncio.gather(*map(broker.depth, names))
    found = [
        {"name": name, "ready": depth.ready, "consumers": depth.consumers}
        for name, depth in zip(names, depths, strict=True)
        if name in ALWAYS or depth.ready
    ]
    return JSONResponse({"queues": found})


@router.get("/dlq/stats")
async def dlq_stats(request: Request) -> Response:
    """Return how many dead letters there are, and why: the count is the queue's, the reasons the table's."""
    parts = context(request)
    depth, by_reason = await asyncio.gather(parts.broker.depth(DEAD_LETTER), parts.rows.failed_by_reason())
    return JSONResponse(
        {
            "dlq": DEAD_LETTER,
            "failed_messages": depth.ready,
            "timestamp": iso(time.time()),
            "by_reason": by_reason,
        }
    )
