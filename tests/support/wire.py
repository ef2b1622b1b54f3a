"""Bytes on a socket as they are: what no HTTP client would send."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

EDGE = b"edge"
LIMIT = 64 * 1024 * 1024
"""No test sends more than this, whatever the server does."""


def connect(url: str, timeout_s: float = 20.0) -> socket.socket:
    """Open a connection to the server of a URL."""
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port or 80), timeout=timeout_s)


def head(path: str = "/upload", length: int | None = None, *more: bytes) -> bytes:
    """Return the head of a form's request; chunked when it has no length."""
    size = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    kind = b"Content-Type: multipart/form-data; boundary=" + EDGE
    lines = (b"POST %s HTTP/1.1" % path.encode(), b"Host: lab", b"Connection: close", kind, size, *more)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def part(name: str = "file", filename: bytes | None = b"a.jpg", data: bytes = b"") -> bytes:
    """Return one part of a form, open at its end."""
    file = b"" if filename is None else b'; filename="' + filename + b'"'
    disposition = b'Content-Disposition: form-data; name="' + name.encode() + b'"'
    return b"--" + EDGE + b"\r\n" + disposition + file + b"\r\n\r\n" + data


def form(*parts: bytes) -> bytes:
    """Return a whole form."""
    return b"".join(each + b"\r\n" for each in parts) + b"--" + EDGE + b"--\r\n"


def send(url: str, data: bytes) -> bytes:
    """Send bytes, and return what comes back until the connection ends."""
    with connect(url) as connection:
        connection.sendall(data)
        return _rest(connection)


def chunked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Return the parts of a chunked body."""
    return (b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def send_endless(url: str, begin: bytes, chunks: Iterable[bytes]) -> tuple[bytes, int]:
    """Send bytes until the server has had enough; return its answer, and how many bytes it took."""
    sent = 0
    with connect(url) as connection:
        # What waits in the kernel would count as taken; the system makes its buffers larger than need be.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.sendall(begin)
        try:
            for chunk in chunks:
                connection.sendall(chunk)
                sent += len(chunk)
                if sent > LIMIT:
                    raise AssertionError("the server takes what has no end")
        except (BrokenPipeError, ConnectionResetError):
            pass
        return _rest(connection), sent


def _rest(connection: socket.socket) -> bytes:
    found = b""
    try:
        while received := connection.recv(65536):
            found += received
    except ConnectionResetError:
        pass
    return found
