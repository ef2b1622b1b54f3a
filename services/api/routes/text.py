"""POST /produce and /batch-produce: jobs that hold a worker for a fixed time."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NoReturn, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.responses import JSONResponse, Response

from services.api.access.callers import caller
from services.api.answers import BatchProduced, Produced
from services.api.callbacks import checked
from services.api.context import Context, context, count_more
from services.api.errors import ApiError
from services.api.openapi import problems
from services.api.reading import json_body, read_json
from services.api.settings import ApiSettings
from services.api.views import iso
from services.common.jobs import Filter
from services.common.messages import MAX_URL, Job, JobId

router = APIRouter()

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_MESSAGES = 1000

REFUSALS = (
    *(
        "bad_json",
        "bad_field",
        "bad_callback_url",
        "processing_time_too_long",
        "request_timeout",
        "job_exists",
    ),
    *("body_too_large", "payload_too_large"),
    *("broker_unavailable", "broker_blocked", "database_unavailable", "unconfirmed", "unroutable"),
)

ModelT = TypeVar("ModelT", bound=BaseModel)


class TextMessage(BaseModel):
    """One text job."""

    id: JobId | None = Field(default=None, description="becomes the job_id; chosen by the API when absent")
    payload: Any = Field(description="any JSON value; carried, not read")
    processing_time: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] = Field(
        default=0, description="how long a worker holds the job, seconds"
    )
    priority: Annotated[int, Field(strict=True, ge=0, le=9)] = Field(
        default=0, description="9 goes first; RabbitMQ before 4.0 ignores it"
    )
    callback_url: str = Field(
        default="", max_length=MAX_URL, description="where the end of the job is told; empty: nowhere"
    )


class TextBatch(BaseModel):
    """Many text jobs."""

    messages: list[TextMessage] = Field(min_length=1, max_length=MAX_MESSAGES)


@router.post(
    "/produce",
    status_code=201,
    response_model=Produced,
    responses=problems(*REFUSALS),
    openapi_extra=json_body(TextMessage),
)
async def produce(request: Request) -> Response:
    """Send one text job; the answer comes when the broker has confirmed it."""
    parts = context(request)
    parts.publisher.check()
    message = await _read(request, TextMessage)
    [job] = await _register(parts, [message], caller(request).user_id)
    await parts.publisher.send(job)
    answer = {"status": "success", "message_id": job.job_id, "timestamp": iso(job.clock["accepted"])}
    return JSONResponse(answer, 201, {"Location": f"/status/{job.job_id}"})


@router.post(
    "/batch-produce",
    status_code=201,
    response_model=BatchProduced,
    responses=problems(*REFUSALS),
    openapi_extra=json_body(TextBatch),
)
async def batch_produce(request: Request) -> Response:
    """Send many text jobs; the answer comes when the broker has confirmed all of them."""
    parts = context(request)
    parts.publisher.check()
    batch = await _read(request, TextBatch)
    count_more(request, len(batch.messages) - 1)
    jobs = await _register(parts, batch.messages, caller(request).user_id)
    outcomes = await asyncio.gather(*map(parts.publisher.send, jobs), return_exceptions=True)
    failed = {job.job_id: found for job, found in zip(jobs, outcomes, strict=True) if found is not None}
    if failed:
        _fail(failed, produced=len(jobs) - len(failed))
    ids = [job.job_id for job in jobs]
    return JSONResponse({"status": "success", "messages_produced": len(ids), "message_ids": ids}, 201)


async def _read(request: Request, kind: type[ModelT]) -> ModelT:
    settings = context(request).settings
    return await read_json(request, kind, max_bytes=MAX_BODY_BYTES, timeout_s=settings.body_timeout_s)


async def _register(parts: Context, messages: Sequence[TextMessage], user_id: str | None) -> list[Job]:
    accepted = time.time()
    jobs = [_job(message, accepted, parts.settings) for message in messages]
    ids = [message.id for message in messages if message.id]
    await _check_ids(parts, ids, user_id)
    await parts.publisher.register(jobs, user_id=user_id)
    if user_id is not None:
        # Somebody else may have taken an id meanwhile; then the row is theirs, and the job must not be ours.
        await _check_ids(parts, ids, user_id)
    return jobs


def _job(message: TextMessage, accepted: float, settings: ApiSettings) -> Job:
    limit_s = settings.max_processing_time_s
    if message.processing_time > limit_s:
        asked = f"processing_time is {message.processing_time:g} s"
        raise ApiError("processing_time_too_long", f"{asked}; LAB_MAX_PROCESSING_TIME_S allows {limit_s:g} s")
    size = len(to_json(message.payload))
    if size > settings.max_payload_bytes:
        limit = f"LAB_MAX_PAYLOAD_BYTES allows {settings.max_payload_bytes:,}"
        raise ApiError("payload_too_large", f"a payload has {size:,} bytes; {limit}")
    return Job(
        job_id=message.id or uuid.uuid4().hex,
        kind="text",
        payload=message.payload,
        processing_time_s=message.processing_time,
        priority=message.priority,
        callback_url=checked(message.callback_url, settings),
        clock={"accepted": accepted},
    )


async def _check_ids(parts: Context, ids: list[str], user_id: str | None) -> None:
    """Refuse ids of jobs that are under way, or somebody else's.

    One that is pending has no confirm yet and may come again.
    """
    if not ids:
        return
    if len(set(ids)) < len(ids):
        raise ApiError("bad_field", "messages: two messages have the same id")
    found = await parts.rows.list(Filter(job_ids=ids, limit=len(ids)))
    mine = [
        row.job_id for row in found if (row.status, row.kind, row.user_id) == ("pending", "text", user_id)
    ]
    taken = sorted({row.job_id for row in found}.difference(mine))
    if taken:
        raise ApiError("job_exists", f"there is a job {taken[0]} already", job_ids=taken)


def _fail(failed: Mapping[str, BaseException], produced: int) -> NoReturn:
    first = next(iter(failed.values()))
    if not isinstance(first, ApiError):
        raise first
    raise ApiError(
        first.code,
        f"{len(failed)} of {len(failed) + produced} messages were not confirmed: {first}",
        outcome=first.more["outcome"],
        messages_produced=produced,
        job_ids=list(failed),
    )
