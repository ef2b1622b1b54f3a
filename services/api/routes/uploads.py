"""POST /upload: an image and what to do with it."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import JSONResponse, Response

from services.api.answers import Accepted
from services.api.callbacks import checked
from services.api.context import context
from services.api.forms import FILE_FIELDS
from services.api.intake import Order, keyed_id
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
    accepted = time.time()
    parts = context(request)
    parts.publisher.check()
    async with parts.forms.one(request) as form:
        operations = canonical(form.operations, parts.settings.max_processing_time_s)
        job_id = keyed_id(idempotency_key) if idempotency_key else None
        order = Order(
            operations, form.priority, accepted, callback_url=checked(form.callback_url, parts.settings)
        )
        receipt = await parts.intake.take(form.uploads[0], order, job_id)
    return JSONResponse(accepted_view(receipt), 202, {"Location": f"/status/{receipt.job_id}"})
