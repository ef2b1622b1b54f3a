"""A receiver of webhooks that is what a test needs: honest, slow, gone, endless, or no HTTP at all.

It signs nothing and verifies by itself: HMAC-SHA256 over id, time and body, from the scheme's own words.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  (of the scheme's own test vectors)
TOLERANCE_S = 300


def answer(status: int, body: bytes = b"", *headers: bytes) -> bytes:
    """Return an answer as bytes."""
    lines = (b"HTTP/1.1 %d Said" % status, b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def authentic(headers: dict[str, str], body: bytes, secret: str = SECRET) -> bool:
    """Verify a request as a receiver of another make does."""
    at = headers["webhook-timestamp"]
    if not at.isdecimal() or abs(time.time() - int(at)) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((headers["webhook-id"].encode(), at.encode(), body))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in headers["webhook-signature"].split(" ")


@dataclass(frozen=True, slots=True)
class Post:
    """One request; `at` is from the loop's own clock."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        """Its webhook-id."""
        return self.headers["webhook-id"]

    @property
    def payload(self) -> Any:  # noqa: ANN401  (any JSON)
        """What it says."""
        return json.loads(self.body)


Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Receiver:
    """Gives the next of `answers` to each request, the last one to all that follow; keeps the `posts`."""

    answers: Sequence[bytes | Behaviour] = (answer(204),)
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    posts: list[Post] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/hook?of=lab"

    @contextlib.asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[Receiver]:
        """Serve while the block runs."""
        server = await asyncio.start_server(self._serve, self.host, port, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            post = await _read(reader)
            how = self.answers[min(len(self.posts), len(self.answers) - 1)]
            self.posts.append(post)
            if isinstance(how, bytes):
                writer.write(how)
                await writer.drain()
            else:
                await how(reader, writer)
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Post:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Post(head[0].split(" ")[1], headers, body, asyncio.get_running_loop().time())


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Answer nothing, until the other side has had enough."""
    await reader.read()


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 200 with a body that has no end."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with headers that have no end."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.transport.is_closing():
        writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close without a word."""
    writer.close()
