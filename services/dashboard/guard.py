"""What no page of somebody else may do with a browser that has the dashboard open."""

from __future__ import annotations

from typing import Literal

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from services.common.hosts import is_own, same_origin

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

FOREIGN_PAGE = ("pages of another origin may not do this", "Open the dashboard by its own address.")
FOREIGN_NAME = (
    "without users the dashboard is not reached by this name",
    "Open it by an IP address, as localhost or by a name without a dot, or set LAB_AUTH=required.",
)


class Guard:
    """Refuses what comes from the pages of other origins, and sends the security headers.

    With `auth` "off" it also refuses names that may be anybody's: whose page has one is of the same origin.
    """

    def __init__(self, app: ASGIApp, auth: Literal["off", "required"]) -> None:
        self._app = app
        self._auth = auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if why := self._why_not(scope):
            await _refuse(why, scope, receive, send)
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

    def _why_not(self, scope: Scope) -> tuple[str, str] | None:
        """Return why a request is refused, and what to do; None when it is let in."""
        headers = Headers(scope=scope)
        if self._auth == "off" and not is_own(headers.get("host", "")):
            return FOREIGN_NAME
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE
        return FOREIGN_PAGE if changes and not _own(headers) else None


def _own(headers: Headers) -> bool:
    """Whether a page of this origin asks, or a program: that sends no origin, and has no cookie to misuse."""
    origin = headers.get("origin")
    return origin is None or same_origin(origin, headers.get("host"))


def _secure(start: Message) -> None:
    """Keep cookies that were set over https from being sent without."""
    start["headers"] = [
        (name, value + b"; secure" if name == b"set-cookie" and b"; secure" not in value else value)
        for name, value in start["headers"]
    ]


async def _refuse(why: tuple[str, str], scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(REFUSED)(scope, receive, send)
        return
    message, hint = why
    error = {"code": "origin_refused", "message": message, "hint": hint}
    await JSONResponse({"error": error}, 403)(scope, receive, send)
