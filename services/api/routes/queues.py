"""GET /queues: what waits, and who consumes."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.api.answers import Queues
from services.api.context import context
from services.api.openapi import problems
from services.common.topology import (
    DEAD_LETTER,
    NOTIFIER_WEBHOOKS,
    RETRY_DELAYS_S,
    WORK_QUEUES,
    retry_queue,
)

router = APIRouter()

ALWAYS = (*WORK_QUEUES, DEAD_LETTER)
RETRY_QUEUES = tuple(
    retry_queue(name, delay_s) for name in (*WORK_QUEUES, NOTIFIER_WEBHOOKS) for delay_s in RETRY_DELAYS_S
)


@router.get("/queues", response_model=Queues, responses=problems("broker_unavailable"))
async def queues(request: Request) -> Response:
    """Return the work queues, the dead-letter queue, and what waits for a retry or as a webhook.

    The layout in force says to which of the work queues jobs are sent.
    """
    parts = context(request)
    names = (*ALWAYS, *RETRY_QUEUES, NOTIFIER_WEBHOOKS)
    depths = await asyncio.gather(*map(parts.broker.depth, names))
    found = [
        {"name": name, "ready": depth.ready, "consumers": depth.consumers}
        for name, depth in zip(names, depths, strict=True)
        if name in ALWAYS or depth.ready
    ]
    return JSONResponse({"layout": parts.settings.layout, "queues": found})
