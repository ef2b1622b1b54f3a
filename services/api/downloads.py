"""Objects as HTTP answers: streamed, named, and not sent again to who has them."""

from __future__ import annotations

import mimetypes
import re
from pathlib import PurePath
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.api.objects import Objects, close


async def download(request: Request, objects: Objects, key: str, filename: str) -> Response:
    """Return an object as an answer to `request`; raise `ObjectMissing`."""
    found = await objects.open(key)
    headers = {
        "ETag": found.etag,
        "Content-Length": str(found.size),
        "Content-Disposition": disposition(filename),
    }
    if matches(request.headers.get("if-none-match", ""), found.etag):
        close(found)
        return Response(status_code=304, headers={"ETag": found.etag})
    return StreamingResponse(objects.chunks(found), headers=headers, media_type=found.content_type)


def output_name(filename: str, name: str, content_type: str) -> str:
    """Return the file name of an output: photo.png and `result` as JPEG make photo-result.jpg."""
    extension = mimetypes.guess_extension(content_type, strict=False) or ""
    return f"{PurePath(filename).stem}-{name}{extension}"


def disposition(filename: str) -> str:
    """Return a Content-Disposition that no file name can break out of (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", filename)
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def matches(if_none_match: str, etag: str) -> bool:
    """Whether a client's If-None-Match names this version of the object."""
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in known or etag in known
