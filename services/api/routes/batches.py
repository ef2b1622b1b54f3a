"""POST /upload/batch and GET /batches: many images at once, and how far they are."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from services.api.access.callers import caller
from services.api.answers import Batch, BatchAccepted
from services.api.callbacks import checked
from services.api.context import Context, context, count_more
from services.api.errors import ApiError, described, no_batch
from services.api.forms import BATCH_FIELDS, Form, Upload
from services.api.intake import Order, Receipt, keyed_batch
from services.api.openapi import form_body, problems
from services.api.operations import canonical
from services.api.routes.jobs import MAX_LISTED, listed
from services.api.routes.uploads import REFUSALS, IdempotencyKey
from services.api.rows import MAX_NUMBER
from services.api.views import accepted_view
from services.common.errors import QueueLabError
from services.common.jobs import Filter
from services.common.messages import RANK

router = APIRouter()

AT_ONCE = 16
"""How many files of one batch are under way at a time."""

Outcome = Receipt | ApiError | QueueLabError


@router.post(
    "/upload/batch",
    status_code=202,
    response_model=BatchAccepted,
    responses=problems("no_files", "too_many_files", "batch_too_large", *REFUSALS),
    openapi_extra=form_body(
        {
            name: {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
            for name in BATCH_FIELDS
        }
    ),
)
async def upload_batch(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
    """Take many images in; a file that is refused has its error in the place of its job."""
    accepted = time.time()
    parts = context(request)
    parts.publisher.check()
    async with parts.forms.many(request) as form:
        operations = canonical(form.operations, parts.settings.max_processing_time_s)
        user_id = caller(request).user_id
        count_more(request, len(form.uploads) - 1)
        batch_id, job_ids = _names(idempotency_key, len(form.uploads), user_id)
        callback_url = checked(form.callback_url, parts.settings)
        order = Order(operations, form.priority, accepted, batch_id, callback_url, user_id)
        outcomes = await _take_all(parts, form, order, job_ids)
    jobs = [_entry(upload, outcome) for upload, outcome in zip(form.uploads, outcomes, strict=True)]
    if not any(isinstance(outcome, Receipt) for outcome in outcomes):
        _refuse(outcomes[0], batch_id, jobs)
    return JSONResponse({"batch_id": batch_id, "jobs": jobs}, 202, {"Location": f"/batches/{batch_id}"})


@router.get("/batches/{batch_id}", response_model=Batch, responses=problems("batch_not_found", "bad_field"))
async def batch(
    request: Request,
    batch_id: str,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=MAX_NUMBER)] = None,
) -> Response:
    """Return how far a batch is: its jobs by status, how many are done, and a page of them."""
    parts = context(request)
    whose = caller(request).sees
    counted = await parts.rows.count_batch(batch_id, whose)
    if not counted:
        raise no_batch(batch_id)
    counts = {status: counted.get(status, 0) for status in RANK}
    page = await listed(parts, Filter(batch_id=batch_id, user_id=whose, limit=limit, cursor=cursor))
    return JSONResponse(
        {
            "batch_id": batch_id,
            "total": sum(counts.values()),
            "done": counts["completed"] + counts["failed"],
            "counts": counts,
            **page,
        }
    )


def _names(key: str | None, count: int, user_id: str | None) -> tuple[str, list[str] | list[None]]:
    return keyed_batch(key, count, user_id) if key else (uuid.uuid4().hex, [None] * count)


async def _take_all(
    parts: Context, form: Form, order: Order, job_ids: list[str] | list[None]
) -> list[Outcome]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def take(upload: Upload, job_id: str | None) -> Outcome:
        async with turns:
            try:
                return await parts.intake.take(upload, order, job_id)
            except (ApiError, QueueLabError) as error:
                described(error)  # an error that has no description is nobody's refusal, but a fault
                return error

    return await asyncio.gather(*map(take, form.uploads, job_ids))


def _entry(upload: Upload, outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Receipt):
        return accepted_view(outcome)
    return {"filename": upload.filename, **described(outcome)}


def _refuse(first: Outcome, batch_id: str, jobs: list[dict[str, Any]]) -> None:
    """Answer with the first error, all of them beside it."""
    assert not isinstance(first, Receipt)  # noqa: S101 - the caller has looked
    raise ApiError(first.code, str(first), batch_id=batch_id, jobs=jobs)
