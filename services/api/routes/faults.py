"""GET /faults: what goes wrong on purpose."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.api.answers import FaultsAnswer
from services.api.context import context
from services.api.errors import ApiError
from services.api.openapi import problems
from services.api.views import faults_view
from services.common.control import KEY, read_faults
from services.common.errors import BadMessage

router = APIRouter()


@router.get(
    "/faults",
    response_model=FaultsAnswer,
    responses=problems("storage_unavailable", "faults_unreadable"),
)
async def faults(request: Request) -> Response:
    """Return the faults that `labctl chaos` has switched on."""
    try:
        found = await context(request).objects.look(read_faults)
    except BadMessage as error:
        raise ApiError("faults_unreadable", f"{KEY} in the store says nothing: {error}") from None
    return JSONResponse(faults_view(found))
