"""An endpoint that answers 201 to any request at once: what is late in front of it, the generator made.

`python -m labkit.bench.answering` prints its address and runs until it is ended.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import httptools

HOST = "127.0.0.1"
BODY = b'{"status": "success", "message_id": "bench"}'
ANSWER = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)


class Answering(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Answer, now that the whole request is there."""
        self._transport.write(ANSWER)


async def main() -> None:
    """Serve until ended."""
    server = await asyncio.get_running_loop().create_server(Answering, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"http://{HOST}:{port}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
