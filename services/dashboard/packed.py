"""The page's own scripts and styles, compressed once: doing it for each browser would hold up all others."""

from __future__ import annotations

import asyncio
import gzip

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDERS = ("/_nicegui/", "/web/")
KINDS = ("text/", "application/javascript", "image/svg")
LEVEL = 7
MOST = 200
"""Files that are kept; there are about fifty."""

Kept = tuple[list[tuple[bytes, bytes]], bytes]


class Packed:
    """Serves what lies in FOLDERS compressed, from memory after the first time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: dict[str, Kept] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if not _fits(scope):
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        found = self._kept.get(path) or await self._pack(scope, receive, send)
        if found is None:
            return
        if len(self._kept) < MOST:
            self._kept[path] = found
        headers, body = found
        if Headers(scope=scope).get("if-none-match") == Headers(raw=headers).get("etag"):
            await send({"type": "http.response.start", "status": 304, "headers": headers[:-1]})
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _pack(self, scope: Scope, receive: Receive, send: Send) -> Kept | None:
        """Have a file served, and keep it; what is no such file is passed on as it is."""
        kept: list[Message] = []
        plain = [
            pair
            for pair in scope["headers"]
            if pair[0] not in (b"accept-encoding", b"if-none-match", b"range")
        ]

        async def keep(message: Message) -> None:
            kept.append(message)

        await self._app({**scope, "headers": plain}, receive, keep)
        start = kept[0]
        headers = MutableHeaders(raw=list(start["headers"]))
        if start["status"] != 200 or not headers.get("content-type", "").startswith(KINDS):  # noqa: PLR2004
            for message in kept:
                await send(message)
            return None
        body = b"".join(message.get("body", b"") for message in kept[1:])
        packed = await asyncio.to_thread(gzip.compress, body, LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
        headers["Vary"] = "Accept-Encoding"
        if "cache-control" not in headers:
            # After an update a browser must not put old and new files together.
            headers["Cache-Control"] = "no-cache"
        del headers["content-length"]
        headers["Content-Length"] = str(len(packed))
        return headers.raw, packed


def _fits(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(FOLDERS):
        return False
    headers = Headers(scope=scope)
    return "gzip" in headers.get("accept-encoding", "") and "range" not in headers
