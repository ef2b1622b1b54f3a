"""How the OpenAPI document describes requests and errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from services.api.errors import PROBLEMS
from services.common.messages import MAX_URL


class Problem(BaseModel):
    """What went wrong, and what to do next."""

    code: str = Field(description="a stable word for programs")
    message: str = Field(description="what happened")
    hint: str = Field(description="what to do next")


class ErrorAnswer(BaseModel):
    """Every error; some have further fields beside it, such as the job_id."""

    error: Problem


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return how the errors of a route are described, by status."""
    by_status: dict[int | str, list[str]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(f"`{code}`")
    return {
        status: {"model": ErrorAnswer, "description": ", ".join(names)}
        for status, names in sorted(by_status.items(), key=str)
    }


def form_body(files: Mapping[str, object]) -> dict[str, Any]:
    """Return how a form of `files` and what to do with them is described: exactly one file field of them."""
    fields = {
        **files,
        "operations": {"type": "string", "default": "resize", "maxLength": 1000},
        "priority": {"type": "integer", "minimum": 0, "maximum": 9, "default": 0},
        "callback_url": {"type": "string", "format": "uri", "maxLength": MAX_URL},
    }
    schema = {
        "type": "object",
        "properties": fields,
        "anyOf": [{"required": [name]} for name in files],
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
