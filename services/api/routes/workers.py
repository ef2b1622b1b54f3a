"""GET /workers: who is at work, and on what."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.api.answers import Workers
from services.api.context import context
from services.api.openapi import problems
from services.api.views import worker_view
from services.common.errors import BrokerUnavailable

router = APIRouter()


@router.get("/workers", response_model=Workers, responses=problems("broker_unavailable"))
async def workers(request: Request) -> Response:
    """Return the workers that are heard: each beats once a second."""
    parts = context(request)
    if not parts.broker.connected:
        raise BrokerUnavailable("no connection to RabbitMQ, so no worker can be heard")
    return JSONResponse({"workers": [worker_view(heard) for heard in parts.roster.present()]})
