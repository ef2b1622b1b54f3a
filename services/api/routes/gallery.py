"""/api/upload, /api/images and /api/thumbnails: the classic gallery API, with numbers for ids."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.api.answers import BYTES, ClassicImage, Taken
from services.api.context import Context, context
from services.api.downloads import download, output_name
from services.api.errors import ApiError, no_image
from services.api.forms import FILE_FIELDS
from services.api.openapi import form_body, problems
from services.api.routes.jobs import UNCHANGED
from services.api.routes.uploads import REFUSALS, IdempotencyKey, take_one
from services.api.views import iso
from services.common.errors import DatabaseUnavailable
from services.common.jobs import JobRow
from services.common.messages import Status

router = APIRouter()

CLASSIC: Mapping[Status, str] = MappingProxyType(
    {
        "pending": "pending",
        "queued": "pending",
        "processing": "processing",
        "retrying": "processing",
        "completed": "completed",
        "failed": "failed",
    }
)
"""The classic words for a status."""

MISSING = ("bad_field", "job_not_found", "database_unavailable")


@router.post(
    "/api/upload",
    status_code=202,
    response_model=Taken,
    responses=problems("one_file", *REFUSALS),
    openapi_extra=form_body({name: {"type": "string", "format": "binary"} for name in FILE_FIELDS}),
)
async def upload(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
    """Take an image in, as POST /upload does, and answer with its number."""
    receipt = await take_one(request, idempotency_key)
    row = await context(request).rows.get(receipt.job_id)
    if row is None:
        raise DatabaseUnavailable("the job table was emptied meanwhile")
    answer = {
        "id": row.id,
        "filename": row.filename,
        "status": "pending",
        "message": f"Accepted. Follow /api/images/{row.id} until it says completed or failed.",
    }
    return JSONResponse(answer, 202, {"Location": f"/api/images/{row.id}"})


@router.get("/api/images/{image_id}", response_model=ClassicImage, responses=problems(*MISSING))
async def image(request: Request, image_id: int) -> Response:
    """Return where an image is."""
    return JSONResponse(_view(await _find(context(request), image_id)))


@router.get(
    "/api/thumbnails/{image_id}",
    response_class=Response,
    responses={
        200: BYTES,
        304: UNCHANGED,
        **problems(*MISSING, "no_such_output", "object_missing", "storage_unavailable"),
    },
)
async def thumbnail(request: Request, image_id: int) -> Response:
    """Return the bytes of a thumbnail."""
    parts = context(request)
    row = await _find(parts, image_id)
    made = next((output for output in row.outputs if output.name == "thumbnail"), None)
    if made is None or row.status != "completed":
        raise ApiError("no_such_output", f"the image {image_id} has no thumbnail: it is {row.status}")
    return await download(
        request, parts.objects, made.key, output_name(row.filename, made.name, made.content_type)
    )


async def _find(parts: Context, image_id: int) -> JobRow:
    row = await parts.rows.numbered(image_id)
    if row is None:
        raise no_image()
    return row


def _view(row: JobRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "filename": row.filename,
        "status": CLASSIC[row.status],
        "original_path": row.original_path,
        "thumbnail_path": row.thumbnail_path if row.status == "completed" else None,
        "created_at": iso(row.created_at),
        "processed_at": None if row.processed_at is None else iso(row.processed_at),
    }
