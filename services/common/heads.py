"""HTTP connections with bounds: uvicorn reads a head of any length, for any time."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MAX_HEAD_BYTES = 64 * 1024
HEAD_TIMEOUT_S = 30.0
PARTING_S = 5.0

LINE = "lab.line"
"""The connection of a request: a key of its ASGI scope, where the server is one of these."""


class Line(Protocol):
    """A connection to a client that may have stopped reading; then whatever is sent waits for it."""

    def let_go(self) -> None:
        """Let a few last words be written all the same; 5 s later the connection is cut."""

    def cut(self) -> None:
        """End it, and drop what was not sent yet."""


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose head is too long, or not there in time.

    The same bound holds for whatever else is no body: trailers, and what stands beside a chunk's length.
    A body's own bounds belong to who reads it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  (uvicorn's own)
        super().__init__(*args, **kwargs)
        self._idle_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and count what has brought nothing yet."""
        self._idle_bytes += len(data)
        super().data_received(data)
        if self._idle_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The head of a request may have {MAX_HEAD_BYTES:,} bytes.")

    def let_go(self) -> None:
        """Let a few last words be written all the same; then the connection is cut."""
        self.flow.resume_writing()
        if self.cycle is not None:
            self.cycle.keep_alive = False
        self.loop.call_later(PARTING_S, self.cut)

    def cut(self) -> None:
        """End it, and drop what was not sent yet."""
        self.transport.abort()

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a head."""
        super().on_message_begin()
        self.scope[LINE] = self  # type: ignore[literal-required]
        self._wait()

    def on_headers_complete(self) -> None:
        """Take the head."""
        self._idle_bytes = 0
        self._wait_no_more()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end."""
        self._idle_bytes = 0
        super().on_message_complete()

    def _wait(self) -> None:
        self._wait_no_more()
        self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        # Not while an earlier request of this connection is still being answered.
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()


class BoundedSocket(WebSocketsSansIOProtocol):
    """A WebSocket that can be ended although its client does not read."""

    async def run_asgi(self) -> None:
        """Serve."""
        self.scope[LINE] = self  # type: ignore[literal-required]
        await super().run_asgi()

    async def send(self, message: Any) -> None:  # noqa: ANN401  (uvicorn's own)
        """Send; a handshake that was answered with an error is over, which uvicorn forgets to note."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True

    def keepalive_timeout(self) -> None:
        """End a connection whose client answers no pings: uvicorn would wait until it has read the rest."""
        super().keepalive_timeout()
        self.loop.call_later(PARTING_S, self.cut)

    def let_go(self) -> None:
        """Let a few last words be written all the same; then the connection is cut."""
        self.writable.set()
        self.loop.call_later(PARTING_S, self.cut)

    def cut(self) -> None:
        """End it, and drop what was not sent yet."""
        self.transport.abort()
