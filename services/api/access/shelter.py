"""What every answer tells a browser: believe its type, run nothing of it, show it in no other page."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.access.gate import PERSONAL

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # Answers are data, also where somebody has uploaded something that looks like a page.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}
NOT_KEPT = "private, no-store"


class Sheltered:
    """Adds the headers; those of an answer itself win."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sheltered(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope.get(PERSONAL):
                    headers["Cache-Control"] = NOT_KEPT
            await send(message)

        await self._app(scope, receive, sheltered)
