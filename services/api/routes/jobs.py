"""GET /status, /jobs and a job's bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from services.api.access.callers import caller
from services.api.answers import BYTES, JobAnswer, JobPage
from services.api.context import Context, context
from services.api.downloads import download, output_name
from services.api.errors import ApiError, no_job
from services.api.openapi import problems
from services.api.rows import MAX_NUMBER
from services.api.views import job_view
from services.common.jobs import Filter, JobRow
from services.common.messages import Status

router = APIRouter()

MAX_LISTED = 200
OPERATION = "^[a-z][a-z0-9_-]*$"

MISSING = problems("job_not_found", "database_unavailable")
UNREADABLE = ("no_such_output", "object_missing", "storage_unavailable", "database_unavailable")
UNCHANGED = {"description": "the bytes are those of If-None-Match"}


@router.get("/status/{job_id}", response_model=JobAnswer, responses=MISSING)
async def status(request: Request, job_id: str) -> Response:
    """Return where a job is."""
    return JSONResponse(job_view(await _find(context(request), job_id)))


@router.get("/jobs", response_model=JobPage, responses=problems("bad_field", "database_unavailable"))
async def jobs(
    request: Request,
    status: Status | None = None,
    operation: Annotated[str | None, Query(max_length=60, pattern=OPERATION)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=MAX_NUMBER)] = None,
) -> Response:
    """Return jobs, newest first; `next_cursor` asks for the page after this one, null when there is none."""
    whose = caller(request).sees
    wanted = Filter(status=status, operation=operation, user_id=whose, limit=limit, cursor=cursor)
    return JSONResponse(await listed(context(request), wanted))


async def listed(parts: Context, wanted: Filter) -> dict[str, Any]:
    """Return a page of jobs, and the cursor of the next one."""
    found = await parts.rows.list(replace(wanted, limit=wanted.limit + 1))
    page = found[: wanted.limit]
    following = page[-1].id if len(found) > wanted.limit else None
    return {"jobs": [job_view(row) for row in page], "next_cursor": following}


@router.get("/jobs/{job_id}", response_model=JobAnswer, responses=MISSING)
async def job(request: Request, job_id: str) -> Response:
    """Return where a job is: the same as /status/{job_id}."""
    return JSONResponse(job_view(await _find(context(request), job_id)))


@router.get(
    "/jobs/{job_id}/original",
    response_class=Response,
    responses={200: BYTES, 304: UNCHANGED, **problems("job_not_found", *UNREADABLE)},
)
async def original(request: Request, job_id: str) -> Response:
    """Return the bytes that were uploaded."""
    row = await _find(context(request), job_id)
    if row.original_path is None:
        raise ApiError("no_such_output", "the job has no original")
    return await download(request, context(request).objects, row.original_path, row.filename)


@router.get(
    "/jobs/{job_id}/{name}",
    response_class=Response,
    responses={
        200: BYTES,
        304: UNCHANGED,
        **problems("job_not_found", "job_not_finished", "job_failed", *UNREADABLE),
    },
)
async def output(request: Request, job_id: str, name: str) -> Response:
    """Return the bytes of an output: `result`, `thumbnail` or a further thumbnail."""
    row = await _find(context(request), job_id)
    if row.kind == "text":
        raise ApiError("no_such_output", "a text job has no outputs")
    if row.status == "failed":
        raise ApiError(
            "job_failed",
            f"the job failed: {row.error_message or row.reason}",
            status=row.status,
            reason=row.reason,
            error_code=row.error_code,
        )
    if row.status != "completed":
        raise ApiError("job_not_finished", f"the job is {row.status}", status=row.status)
    found = next((made for made in row.outputs if made.name == name), None)
    if found is None:
        raise ApiError("no_such_output", f"the job has no {name[:60]}")
    shown = output_name(row.filename, name, found.content_type)
    return await download(request, context(request).objects, found.key, shown)


async def _find(parts: Context, job_id: str) -> JobRow:
    row = await parts.rows.get(job_id)
    if row is None:
        raise no_job(job_id)
    return row
