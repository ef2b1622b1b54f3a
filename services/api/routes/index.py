"""GET /: what this is, and where everything else is."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.api.answers import Index

router = APIRouter()

LINKS = {
    "upload": "/upload",
    "produce": "/produce",
    "upload_batch": "/upload/batch",
    "upload_url": "/upload/url",
    "gallery_upload": "/api/upload",
    "batch_produce": "/batch-produce",
    "jobs": "/jobs",
    "events": "/events",
    "operations": "/operations",
    "queues": "/queues",
    "workers": "/workers",
    "faults": "/faults",
    "login": "/auth/login",
    "me": "/auth/me",
    "dead_letters": "/dlq",
    "health": "/health",
    "live": "/live",
    "metrics": "/metrics",
    "openapi": "/openapi.json",
}


@router.get("/", response_model=Index)
async def index(request: Request) -> Response:
    """Return the name, the version and the routes of this API."""
    return JSONResponse({"name": request.app.title, "version": request.app.version, "links": LINKS})
