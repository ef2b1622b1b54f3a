"""Those who follow the job table over a connection: how many there may be, and how each of them ends.

Memory is bounded: a listener that does not read is dropped after a while, and told why in case it reads on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self, cast

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.api.access.stays import Stay, StayOver, Versions, look_after
from services.api.errors import ApiError, ErrorResponse
from services.api.feed import Feed
from services.api.settings import ApiSettings
from services.common import metrics
from services.common.errors import DatabaseUnavailable
from services.common.heads import LINE, Line
from services.common.jobs import Wanted

log = logging.getLogger(__name__)

HEARTBEAT_S = 15
RECONNECT_MS = 1000
STOP_S = 1.0

STOPPING = "the API stops; connect again"
TOO_SLOW = "nothing was read for {:g} s; connect again, from the last change that you have"

# https://www.iana.org/assignments/websocket/websocket.xhtml
RESTARTS, LATER, UNAUTHORIZED = 1012, 1013, 3000

SHARE = 10
"""A user gets a tenth of the places, so that nobody takes them from all others; admins are not counted."""

TRANSPORTS = ("sse", "ws")


class Listeners:
    """The listeners of one API."""

    def __init__(self, feed: Feed, settings: ApiSettings, versions: Versions) -> None:
        self.feed = feed
        self._versions = versions
        self.patience_s = settings.listener_patience_s
        self._most = settings.max_listeners
        self._share = max(1, settings.max_listeners // SHARE)
        self._seats: list[tuple[Line | None, Stay]] = []
        self._looking: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._empty.set()
        self._stopping = False

    async def __aenter__(self) -> Self:
        """Begin."""
        for transport in TRANSPORTS:
            metrics.listeners.labels(transport)  # shown at zero
        await self.feed.__aenter__()
        self._looking = asyncio.create_task(look_after(self._stays, self._versions))
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Let all listeners end; those that do not read are cut off."""
        self._stopping = True
        if self._looking is not None:
            self._looking.cancel()
        await self.feed.__aexit__()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._empty.wait()
        for line, _ in self._seats:
            if line is not None:
                line.cut()

    @contextlib.contextmanager
    def seat(self, scope: Scope, transport: str, stay: Stay) -> Iterator[Line | None]:
        """Count a listener in while the block runs; give its line. Raises ApiError when there is no room."""
        if self._stopping:
            raise ApiError("stopping", STOPPING)
        if len(self._seats) >= self._most:
            raise ApiError("too_many_listeners", f"{self._most} listeners are connected, which is the limit")
        user_id = stay.who.sees
        if user_id and sum(each.who.sees == user_id for each in self._stays()) >= self._share:
            raise ApiError("too_many_listeners", f"you have {self._share} listeners, which is a user's limit")
        line = cast("Line | None", scope.get(LINE))
        self._seats.append((line, stay))
        self._empty.clear()
        try:
            with metrics.listeners.labels(transport).track_inprogress():
                yield line
        finally:
            self._seats.remove((line, stay))
            if not self._seats:
                self._empty.set()

    def _stays(self) -> list[Stay]:
        return [stay for _, stay in self._seats]

    def drop(self, transport: str, place: str) -> str:
        """Note that a listener is dropped; return what it is told."""
        metrics.listeners_dropped.labels(transport).inc()
        reason = TOO_SLOW.format(self.patience_s)
        log.warning("listener_dropped", extra={"transport": transport, "client": place, "reason": reason})
        return reason


class EventStream(EventSourceResponse):
    """The feed as server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

    def __init__(self, listeners: Listeners, place: int, wanted: Wanted, stay: Stay) -> None:
        super().__init__(
            self._events(place, wanted, stay),
            ping=HEARTBEAT_S,
            ping_message_factory=lambda: ServerSentEvent(comment="still here", sep="\n"),
            sep="\n",
            send_timeout=listeners.patience_s,
        )
        self._listeners = listeners
        self._stay = stay

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell until one side ends."""
        try:
            with self._listeners.seat(scope, "sse", self._stay) as line:
                try:
                    await super().__call__(scope, receive, send)
                except* SendTimeoutError:
                    reason = self._listeners.drop("sse", _client(scope))
                    await _part(line, send, reason)
        except ApiError as error:
            await ErrorResponse(error.code, str(error))(scope, receive, send)

    async def _events(self, place: int, wanted: Wanted, stay: Stay) -> AsyncIterator[bytes]:
        yield f"retry: {RECONNECT_MS}\nid: {place}\nevent: hello\ndata: {_hello(place)}\n\n".encode()
        reason = STOPPING
        try:
            async for found in stay.during(self._listeners.feed.follow(place, wanted)):
                yield b"".join(told.event for told in found)
        except (DatabaseUnavailable, StayOver) as error:
            reason = str(error)
        yield _bye(reason)


async def converse(
    websocket: WebSocket, listeners: Listeners, place: int, wanted: Wanted, stay: Stay
) -> None:
    """Tell the feed over a WebSocket, until one side ends. What the client says is not listened to."""
    try:
        with listeners.seat(websocket.scope, "websocket", stay) as line:
            await websocket.accept()
            telling = asyncio.create_task(_tell(websocket, listeners, line, place, wanted, stay))
            hearing = asyncio.create_task(_hear(websocket))
            try:
                await asyncio.wait({telling, hearing}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                telling.cancel()
                hearing.cancel()
                await asyncio.gather(telling, hearing, return_exceptions=True)
            if not telling.cancelled() and (error := telling.exception()):
                raise error
    except ApiError as error:
        await deny(websocket, error.code, str(error))
    except WebSocketDisconnect:
        pass


async def deny(websocket: WebSocket, code: str, message: str) -> None:
    """Answer a handshake with an error."""
    await websocket.send_denial_response(ErrorResponse(code, message))


async def _tell(
    websocket: WebSocket,
    listeners: Listeners,
    line: Line | None,
    place: int,
    wanted: Wanted,
    stay: Stay,
) -> None:
    code, reason = RESTARTS, STOPPING
    try:
        await _send(websocket, listeners, _hello(place))
        async for found in stay.during(listeners.feed.follow(place, wanted)):
            for told in found:
                await _send(websocket, listeners, told.text)
    except DatabaseUnavailable as error:
        code, reason = LATER, str(error)
    except StayOver as error:
        code, reason = UNAUTHORIZED, str(error)
    except TimeoutError:
        code, reason = LATER, listeners.drop("websocket", _client(websocket.scope))
        if line is None:
            raise
        line.let_go()
    await websocket.close(code, reason.encode()[:120].decode(errors="ignore"))  # the protocol takes 123 bytes


async def _send(websocket: WebSocket, listeners: Listeners, text: str) -> None:
    async with asyncio.timeout(listeners.patience_s):
        await websocket.send_text(text)


async def _hear(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _part(line: Line | None, send: Send, reason: str) -> None:
    """Say why, to a client that does not read; the line is cut a little later."""
    if line is None:
        return
    line.let_go()
    await send({"type": "http.response.body", "body": _bye(reason), "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _hello(place: int) -> str:
    return _json({"type": "hello", "seq": place})


def _bye(reason: str) -> bytes:
    return f"event: bye\ndata: {_json({'type': 'bye', 'reason': reason})}\n\n".encode()


def _json(what: dict[str, Any]) -> str:
    return json.dumps(what, separators=(",", ":"))


def _client(scope: Scope) -> str:
    return ":".join(map(str, scope.get("client") or ("?",)))
