"""GET /status, /jobs and a job's bytes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from services.api.context import Context, context
from services.api.downloads import download, output_name
from services.api.errors import ApiError
from services.api.views import job_view
from services.common.jobs import Filter, JobRow
from services.common.messages import Status

router = APIRouter()

MAX_LISTED = 200
MAX_CURSOR = 2**31 - 1


@router.get("/status/{job_id}")
async def status(request: Request, job_id: str) -> Response:
    """Return where a job is."""
    return JSONResponse(job_view(await _find(context(request), job_id)))


@router.get("/jobs")
async def jobs(
    request: Request,
    status: Status | None = None,
    operation: Annotated[str | None, Query(min_length=1, max_length=60)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=MAX_CURSOR)] = None,
) -> Response:
    """Return jobs, newest first; `next_cursor` asks for the page after this one, null when there is none."""
    wanted = Filter(status=status, operation=operation, limit=limit + 1, cursor=cursor)
    found = await context(request).rows.list(wanted)
    page = found[:limit]
    following = page[-1].id if len(found) > limit else None
    return JSONResponse({"jobs": [job_view(row) for row in page], "next_cursor": following})


@router.get("/jobs/{job_id}")
async def job(request: Request, job_id: str) -> Response:
    """Return where a job is: the same as /status/{job_id}."""
    return JSONResponse(job_view(await _find(context(request), job_id)))


@router.get("/jobs/{job_id}/original")
async def original(request: Request, job_id: str) -> Response:
    """Return the bytes that were uploaded."""
    row = await _find(context(request), job_id)
    if row.original_path is None:
        raise ApiError("no_such_output", f"a {row.kind} job has no original")
    return await download(request, context(request).objects, row.original_path, row.filename)


@router.get("/jobs/{job_id}/{name}")
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
        raise ApiError("job_not_found", f"no job {job_id[:64]}")
    return row
