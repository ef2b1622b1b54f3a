"""Request bodies, bounded: what is over the limit or too slow is never read to its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.types import Message, Receive

from services.api.errors import BODY_ENDED, ApiError

ModelT = TypeVar("ModelT", bound=BaseModel)


def bounded(request: Request, max_bytes: int, code: str, message: str) -> Receive:
    """Return the request's `receive`, which raises an `ApiError` of `code` above `max_bytes`."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise ApiError(code, message, close=True)
    received = 0

    async def receive() -> Message:
        nonlocal received
        part = await request.receive()
        received += len(part.get("body", b""))
        request.scope[BODY_ENDED] = not part.get("more_body", False)
        if received > max_bytes:
            raise ApiError(code, message, close=True)
        return part

    return receive


@contextlib.asynccontextmanager
async def in_time(timeout_s: float) -> AsyncIterator[None]:
    """Raise an `ApiError` when the body is not there after `timeout_s` seconds."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise ApiError(
            "request_timeout", f"the request was not complete after {timeout_s:g} s", close=True
        ) from None


def json_body(kind: type[BaseModel]) -> dict[str, Any]:
    """Return how a body of this kind is described, whole: references would lead out of it."""
    schema = kind.model_json_schema()
    inner = schema.pop("$defs", {})
    whole = _inlined(schema, inner)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": whole}}}}


def _inlined(part: Any, inner: Mapping[str, Any]) -> Any:  # noqa: ANN401  (any JSON)
    if isinstance(part, dict):
        if "$ref" in part:
            return _inlined(inner[part["$ref"].rpartition("/")[2]], inner)
        return {name: _inlined(value, inner) for name, value in part.items()}
    return [_inlined(value, inner) for value in part] if isinstance(part, list) else part


async def read_json(request: Request, kind: type[ModelT], *, max_bytes: int, timeout_s: float) -> ModelT:
    """Return the body as a `kind`; raise an `ApiError` naming the first thing that is wrong."""
    too_large = f"the body has more than the {max_bytes:,} bytes allowed"
    receive = bounded(request, max_bytes, "body_too_large", too_large)
    async with in_time(timeout_s):
        body = await Request(request.scope, receive).body()
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise ApiError("bad_json", first["msg"]) from None
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise ApiError("bad_field", f"{where}: {first['msg']}") from None
