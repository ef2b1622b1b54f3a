"""GET /jobs/{id}/webhooks: what became of the webhooks about a job."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.api.answers import Webhooks
from services.api.context import context
from services.api.errors import no_job
from services.api.openapi import problems
from services.api.views import webhooks_view

router = APIRouter()

MAX_ATTEMPTS = 100


@router.get(
    "/jobs/{job_id}/webhooks",
    response_model=Webhooks,
    responses=problems("job_not_found", "database_unavailable"),
)
async def webhooks(request: Request, job_id: str) -> Response:
    """Return the last attempts to tell a job's receiver of its end, in their order."""
    rows = context(request).rows
    row = await rows.get(job_id)
    if row is None:
        raise no_job(job_id)
    return JSONResponse(webhooks_view(row, await rows.attempts(row.job_id, MAX_ATTEMPTS)))
