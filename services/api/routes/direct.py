"""POST /upload/url and /upload/{job_id}/complete: a client brings its file to the object store itself."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from services.api.access.callers import caller
from services.api.answers import Accepted, Permitted
from services.api.context import context
from services.api.direct import Announcement
from services.api.errors import ApiError
from services.api.forms import clean_name
from services.api.openapi import problems
from services.api.operations import MAX_OPERATIONS, canonical
from services.api.reading import json_body, read_json
from services.api.views import accepted_view, iso, links, split
from services.common.storage import upload_key

router = APIRouter()

MAX_BODY_BYTES = 16 * 1024
REFUSALS = (
    *("bad_json", "bad_field", "bad_operation", "processing_time_too_long", "request_timeout"),
    *("body_too_large", "file_too_large", "database_unavailable"),
)
INCOMPLETE = (
    *("job_not_found", "upload_missing", "upload_differs", "upload_not_announced", "upload_expired"),
    *("file_too_large", "too_many_pixels", "not_an_image"),
    *("broker_unavailable", "broker_blocked", "storage_unavailable", "database_unavailable"),
    *("unconfirmed", "unroutable", "upload_busy"),
)


class WantedUrl(BaseModel):
    """A file that a client wants to bring."""

    model_config = ConfigDict(extra="forbid")

    filename: Annotated[str, Field(min_length=1, max_length=1000, description="as it is shown later")]
    content_type: Literal["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"] = (
        Field(description="what the file is by its content; the PUT has to say the same")
    )
    operations: Annotated[str, Field(max_length=MAX_OPERATIONS)] = Field(
        default="", description="what to do, as in an upload; `resize` when it is missing"
    )
    size: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        default=None, description="bytes of the file; when it is given, the PUT has to have just as many"
    )
    priority: Annotated[int, Field(strict=True, ge=0, le=9)] = Field(
        default=0, description="9 goes first; RabbitMQ before 4.0 ignores it"
    )


@router.post(
    "/upload/url",
    status_code=201,
    response_model=Permitted,
    responses=problems(*REFUSALS),
    openapi_extra=json_body(WantedUrl),
)
async def url(request: Request) -> Response:
    """Announce a file, and get a URL to PUT it to."""
    parts = context(request)
    settings = parts.settings
    timeout_s = settings.body_timeout_s
    wanted = await read_json(request, WantedUrl, max_bytes=MAX_BODY_BYTES, timeout_s=timeout_s)
    operations = canonical(wanted.operations, settings.max_processing_time_s)
    if wanted.size is not None and wanted.size > settings.max_upload_bytes:
        limit = f"the {settings.max_upload_bytes:,} bytes allowed"
        raise ApiError("file_too_large", f"{wanted.size:,} bytes are more than {limit}")
    filename = clean_name(wanted.filename)
    user_id = caller(request).user_id
    announcement = Announcement(
        filename, wanted.content_type, operations, wanted.priority, wanted.size, user_id
    )
    permit = await parts.direct.announce(announcement)
    answer = {
        "job_id": permit.job_id,
        "id": permit.job_id,
        "filename": filename,
        "status": "pending",
        "operations": split(operations),
        "method": "PUT",
        "url": permit.url,
        "headers": permit.headers,
        "expires_at": iso(permit.expires_at),
        "max_bytes": settings.max_upload_bytes,
        "bucket": settings.s3_bucket,
        "key": upload_key(permit.job_id),
        "message": "PUT the file to url with these headers, then POST to links.complete.",
        "links": {**links(permit.job_id, "image"), "complete": f"/upload/{permit.job_id}/complete"},
    }
    return JSONResponse(answer, 201, {"Location": f"/status/{permit.job_id}"})


@router.post(
    "/upload/{job_id}/complete",
    status_code=202,
    response_model=Accepted,
    responses=problems(*INCOMPLETE),
)
async def complete(request: Request, job_id: str) -> Response:
    """Say that an announced file has come; its job is enqueued once, however often this is said."""
    receipt = await context(request).direct.complete(job_id)
    return JSONResponse(accepted_view(receipt), 202, {"Location": f"/status/{receipt.job_id}"})
