"""/dlq and /jobs/{id}/retry: what was given up, and a second chance for it."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import JSONResponse, Response

from services.api.context import context
from services.api.errors import ApiError, no_job
from services.api.letters import Letter
from services.api.reading import json_body, read_json
from services.api.views import iso, letter_view, links
from services.common.messages import JobId
from services.common.topology import DEAD_LETTER

router = APIRouter()

MAX_LISTED = 200
MAX_IDS = 1000
MAX_BODY_BYTES = 128 * 1024
MAX_RATE_PER_S = 1000


class Replay(BaseModel):
    """Which jobs to send again: `ids`, or `all`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ids: list[JobId] = Field(default_factory=list, max_length=MAX_IDS, description="job ids")
    all: bool = Field(default=False, description="every job in the queue")
    rate: float | None = Field(default=None, gt=0, le=MAX_RATE_PER_S, description="jobs a second at the most")
    dry_run: bool = Field(default=False, description="say what would be sent, and send nothing")

    @model_validator(mode="after")
    def _one_of_both(self) -> Replay:
        if self.all == bool(self.ids):
            raise ValueError("give ids, or all: true")
        return self


@router.get("/dlq")
async def listed(request: Request, limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 50) -> Response:
    """Return dead letters, oldest first; they stay in the queue."""
    found = await context(request).letters.browse(limit)
    return JSONResponse({"dlq": DEAD_LETTER, "letters": [letter_view(letter) for letter in found]})


@router.get("/dlq/stats")
async def stats(request: Request) -> Response:
    """Return how many dead letters there are, and why: the count is the queue's, the reasons the table's."""
    parts = context(request)
    depth, by_reason = await asyncio.gather(parts.broker.depth(DEAD_LETTER), parts.rows.failed_by_reason())
    return JSONResponse(
        {
            "dlq": DEAD_LETTER,
            "failed_messages": depth.ready,
            "timestamp": iso(time.time()),
            "by_reason": by_reason,
        }
    )


@router.get("/dlq/{job_id}")
async def shown(request: Request, job_id: str) -> Response:
    """Return one dead letter with its headers and the job in it."""
    found = await context(request).letters.browse(1, lambda letter: letter.job_id == job_id)
    if not found:
        raise ApiError("letter_not_found", f"no letter of a job {job_id[:64]} in the dead-letter queue")
    return JSONResponse({**letter_view(found[0]), **_inside(found[0])})


@router.post("/dlq/replay", openapi_extra=json_body(Replay))
async def replay(request: Request) -> Response:
    """Send jobs again, as a new generation; `left` are those that this request had no time for."""
    parts = context(request)
    timeout_s = parts.settings.body_timeout_s
    wanted = await read_json(request, Replay, max_bytes=MAX_BODY_BYTES, timeout_s=timeout_s)
    parts.publisher.check()
    ids = set(wanted.ids)
    done = await parts.letters.replay(
        lambda letter: wanted.all or letter.job_id in ids, rate_per_s=wanted.rate, dry_run=wanted.dry_run
    )
    return JSONResponse(
        {
            "replayed": len(done.job_ids),
            "job_ids": list(done.job_ids),
            "skipped": list(done.skipped),
            "missing": sorted(ids - {*done.job_ids, *done.skipped}) if not done.left else [],
            "left": done.left,
            "dry_run": wanted.dry_run,
        }
    )


@router.delete("/dlq")
async def purged(request: Request) -> Response:
    """Drop all dead letters; their jobs stay failed."""
    return JSONResponse({"purged": await context(request).letters.purge()})


@router.post("/jobs/{job_id}/retry", status_code=202)
async def retried(request: Request, job_id: str) -> Response:
    """Send a failed job again, as a new generation: from its dead letter, or else from its row."""
    parts = context(request)
    row = await parts.rows.get(job_id)
    if row is None:
        raise no_job(job_id)
    if row.status != "failed":
        raise ApiError("job_not_failed", f"the job is {row.status}", status=row.status)
    parts.publisher.check()
    generation = await parts.retries.send(row)
    answer = {
        "job_id": job_id,
        "status": "queued",
        "generation": generation,
        "links": links(job_id, row.kind),
    }
    return JSONResponse(answer, 202, {"Location": f"/status/{job_id}"})


def _inside(letter: Letter) -> dict[str, Any]:
    return {
        "headers": {name: str(value) for name, value in letter.headers.items()},
        "job": letter.job.model_dump(exclude_none=True) if letter.job else None,
    }
