"""POST /upload: an image and what to do with it."""

from __future__ import annotations

import functools
import time
import uuid

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.api.context import Context, context
from services.api.errors import ApiError
from services.api.forms import Upload
from services.api.views import links, split
from services.common.errors import DatabaseUnavailable
from services.common.messages import Job
from services.common.storage import original_key
from services.worker.processors import BadOperation, format_operations, parse_operations

router = APIRouter()

MAX_OPERATIONS = 1000

FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "image": {"type": "string", "format": "binary"},
                    "operations": {"type": "string", "default": "resize"},
                },
            }
        }
    },
}


@router.post("/upload", status_code=202, openapi_extra={"requestBody": FORM})
async def upload(request: Request) -> Response:
    """Take an image in; the answer comes when the broker has confirmed its job."""
    accepted = time.time()
    parts = context(request)
    parts.publisher.check()
    async with parts.forms.reading(request) as form:
        operations = canonical(form.operations, parts.settings.max_processing_time_s)
        job_id = uuid.uuid4().hex
        job = Job(
            job_id=job_id,
            kind="image",
            operations=operations,
            filename=form.filename,
            original_key=original_key(job_id),
            clock={"accepted": accepted},
        )
        await _register(parts, job, form)
    await parts.publisher.send(job)
    return JSONResponse(_accepted(job), 202, {"Location": f"/status/{job_id}"})


def canonical(text: str, max_processing_time_s: float) -> str:
    """Return operations as canonical text; raise `BadOperation`, or an `ApiError` for too long a sleep."""
    formatted, pause_s = _parsed(text)
    if pause_s > max_processing_time_s:
        raise ApiError(
            "processing_time_too_long",
            f"these operations sleep for {pause_s:g} s; LAB_MAX_PROCESSING_TIME_S allows "
            f"{max_processing_time_s:g} s",
        )
    return formatted


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[str, float]:
    operations = parse_operations(text)
    formatted = format_operations(operations)
    if len(formatted) > MAX_OPERATIONS:
        raise BadOperation(f"These operations are longer than {MAX_OPERATIONS} characters. Send fewer.")
    return formatted, sum(operation.pause_s for operation in operations)


async def _register(parts: Context, job: Job, form: Upload) -> None:
    await parts.objects.store_original(job.job_id, form.file, form.size)
    try:
        await parts.publisher.register([job], file_size=form.size)
    except DatabaseUnavailable:
        parts.objects.discard(job.job_id)
        raise


def _accepted(job: Job) -> dict[str, object]:
    return {
        "job_id": job.job_id,
        "id": job.job_id,
        "filename": job.filename,
        "status": "queued",
        "operations": split(job.operations),
        "message": "Accepted. Follow links.status until it says completed or failed.",
        "links": links(job.job_id, "image"),
    }
