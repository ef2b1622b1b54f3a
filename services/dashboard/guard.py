"""What no page of somebody else may do with a browser that has the dashboard open."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
REFUSED = 1008
"""https://www.iana.org/assignments/websocket/websocket.xhtml"""

# NiceGUI writes its start into the page and compiles templates in the browser: hence the two "unsafe".
# Everything comes from this server, and nothing goes anywhere else.
POLICY = (
    "default-src 'self'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; "
    "font-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Refuses what comes from the pages of other origins, and sends the security headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE
        if changes and not _own(Headers(scope=scope)):
            await _refuse(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope.get("scheme") == "https":
                    _secure(message)
            await send(message)

        await self._app(scope, receive, guarded)


def _own(headers: Headers) -> bool:
    """Whether a page of this origin asks, or a program: that sends no origin, and has no cookie to misuse."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _secure(start: Message) -> None:
    """Keep cookies that were set over https from being sent without."""
    start["headers"] = [
        (name, value + b"; secure" if name == b"set-cookie" and b"; secure" not in value else value)
        for name, value in start["headers"]
    ]


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(REFUSED)(scope, receive, send)
        return
    error = {
        "code": "origin_refused",
        "message": "pages of another origin may not do this",
        "hint": "Open the dashboard by its own address.",
    }
    await JSONResponse({"error": error}, 403)(scope, receive, send)
