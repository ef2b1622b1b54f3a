"""POST /upload: an image and what to do with it."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import JSONResponse, Response

from services.api.access.callers import caller
from services.api.answers import Accepted
from services.api.callbacks import checked
from services.api.context import context
from services.api.forms import FILE_FIELDS
from services.api.intake import Order, Receipt, keyed_id
from services.api.openapi import form_body, problems
from services.api.operations import canonical
from services.api.views import accepted_view

router = APIRouter()

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern="^[ -~]+$",
        description="the same key with the same upload is the same job, however often it comes",
    ),
]

REFUSALS = (
    *("bad_form", "bad_operation", "bad_field", "bad_callback_url", "processing_time_too_long"),
    *("request_timeout", "idempotency_conflict", "file_too_large", "too_many_pixels", "not_an_image"),
    *("broker_unavailable", "broker_blocked", "storage_unavailable", "database_unavailable"),
    *("unconfirmed", "unroutable", "no_room"),
)


@router.post(
    "/upload",
    status_code=202,
    response_model=Accepted,
    responses=problems("one_file", *REFUSALS),
    openapi_extra=form_body({name: {"type": "string", "format": "binary"} for name in FILE_FIELDS}),
)
async def upload(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
    """Take an image in; the answer comes when the broker has confirmed its job."""
    receipt = await take_one(request, idempotency_key)
    return JSONResponse(accepted_view(receipt), 202, {"Location": f"/status/{receipt.job_id}"})


async def take_one(request: Request, key: str | None) -> Receipt:
    """Take the one image of a form in. Raises an `ApiError` or a `QueueLabError`."""
    accepted = time.time()
    parts = context(request)
    parts.publisher.check()
    async with parts.forms.one(request) as form:
        operations = canonical(form.operations, parts.settings.max_processing_time_s)
        user_id = caller(request).user_id
        job_id = keyed_id(key, user_id) if key else None
        callback_url = checked(form.callback_url, parts.settings)
        order = Order(operations, form.priority, accepted, callback_url=callback_url, user_id=user_id)
        return await parts.intake.take(form.uploads[0], order, job_id)
