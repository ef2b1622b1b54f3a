"""GET /events and /ws: what changes, as it happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket
from starlette.responses import Response

from services.api.access.callers import caller
from services.api.access.stays import Stay
from services.api.context import context
from services.api.errors import ApiError
from services.api.listeners import EventStream, converse, deny
from services.api.openapi import problems
from services.common.errors import QueueLabError
from services.common.jobs import Wanted
from services.common.messages import JobId, Status

router = APIRouter()

MAX_JOB_IDS = 100
REFUSALS = ("bad_field", "too_many_listeners", "stopping", "database_unavailable")

Place = Annotated[int | None, Query(ge=0, lt=2**63, description="seq of the last change that you have")]
LastEventId = Annotated[int | None, Header(ge=0, lt=2**63, description="the same; wins over `after`")]


def wanted(
    job_id: Annotated[list[JobId] | None, Query(max_length=MAX_JOB_IDS, description="these jobs")] = None,
    batch_id: Annotated[JobId | None, Query(description="jobs of this batch")] = None,
    status: Annotated[list[Status] | None, Query(max_length=10, description="these statuses")] = None,
) -> Wanted:
    """Return which changes a listener wants."""
    return Wanted(job_ids=frozenset(job_id or ()), batch_id=batch_id, statuses=frozenset(status or ()))


Filters = Annotated[Wanted, Depends(wanted)]

STREAM = {
    "description": "server-sent events: `hello`, then a change each, `bye` at the end",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


@router.get(
    "/events",
    response_class=Response,
    responses={
        200: STREAM,
        **problems(*REFUSALS),
    },
)
async def events(
    request: Request, filters: Filters, after: Place = None, last_event_id: LastEventId = None
) -> Response:
    """Tell each change of a job as it happens; first of all those after `Last-Event-ID` or `after`."""
    listeners = context(request).listeners
    place = await listeners.feed.place(after if last_event_id is None else last_event_id)
    known = caller(request)
    return EventStream(listeners, place, replace(filters, user_id=known.sees), Stay(known))


@router.websocket("/ws")
async def socket(websocket: WebSocket, filters: Filters, after: Place = None) -> None:
    """Tell the same over a WebSocket: a JSON object each."""
    parts = context(websocket)
    listeners = parts.listeners
    try:
        # A browser lets any page open a WebSocket to any server, and only the server can refuse.
        parts.gate.origins.check_origin(websocket.headers.get("origin"), websocket.headers.get("host"))
        place = await listeners.feed.place(after)
    except (ApiError, QueueLabError) as error:
        await deny(websocket, error.code, str(error))
    else:
        known = caller(websocket)
        own = replace(filters, user_id=known.sees)
        await converse(websocket, listeners, place, own, Stay(known))
