"""GET /operations: what can be done to an image, and whether it is written right."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from services.api.answers import Checked, Operations
from services.api.context import context
from services.api.openapi import problems
from services.api.operations import canonical, catalogue_view
from services.api.views import split

router = APIRouter()

Text = Annotated[str, Query(max_length=2000, description="operations as an upload would say them")]


@router.get("/operations", response_model=Operations)
async def operations() -> Response:
    """Return every operation, with its arguments and examples."""
    return JSONResponse(catalogue_view())


@router.get(
    "/operations/check",
    response_model=Checked,
    responses=problems("bad_operation", "bad_field", "processing_time_too_long"),
)
async def checked(request: Request, operations: Text = "") -> Response:
    """Return operations as an upload would understand them, or why it would not take them."""
    text = canonical(operations, context(request).settings.max_processing_time_s)
    return JSONResponse({"operations": split(text), "canonical": text})
