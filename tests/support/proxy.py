"""A TCP forwarder whose links can be held and cut: how a test makes a network fail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Direction = Literal["up", "down"]
"""up: from the client to the server."""

CHUNK_BYTES = 64 * 1024


@dataclass(slots=True)
class Link:
    """One forwarded connection."""

    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    flows: dict[Direction, asyncio.Event] = field(default_factory=dict)
    waiting: dict[Direction, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    """Bytes that were read and are held back."""

    def hold(self, *directions: Direction) -> None:
        """Pass nothing on; what comes is kept."""
        for direction in directions:
            self.flows[direction].clear()

    def release(self) -> None:
        """Pass on what was held back, and what comes."""
        for flow in self.flows.values():
            flow.set()

    def cut(self) -> None:
        """Break the connection on both sides, as a pulled cable or a killed process does."""
        for writer in self.writers:
            writer.transport.abort()
        self.release()


@dataclass(slots=True)
class Proxy:
    """Forwards each connection to `target`; `links` are those made so far."""

    target: tuple[str, int]
    port: int = 0
    links: list[Link] = field(default_factory=list)
    holds: bool = False
    """Whether new connections are held from their beginning."""

    def url(self, of: str) -> str:
        """Return the URL `of` the server as it is through this proxy."""
        parts = urlsplit(of)
        user = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self.port}" if user else self.address))

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break all connections."""
        for link in self.links:
            link.cut()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Proxy]:
        """Accept connections while the block runs; the port stays the same when it is entered again."""
        server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        link = Link((writer, far_writer))
        link.flows = {"up": asyncio.Event(), "down": asyncio.Event()}
        if not self.holds:
            link.release()
        self.links.append(link)
        await asyncio.gather(_pump(link, "up", reader, far_writer), _pump(link, "down", far_reader, writer))


async def _pump(
    link: Link, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            link.waiting[direction] += len(data)
            await link.flows[direction].wait()
            link.waiting[direction] -= len(data)
            writer.write(data)
            await writer.drain()
    writer.close()


def proxy_to(url: str) -> Proxy:
    """Return a proxy to the server of a URL."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        raise ValueError(f"no host and port in {url}")
    return Proxy((parts.hostname, parts.port))
