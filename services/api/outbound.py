"""Requests that the API makes to the outside because a message asks for it: to public addresses only.

The name is resolved once, and the connection goes to the address that was looked at; so a name that points
inside, now or a moment later, leads nowhere. Redirects are not followed.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from services.common.errors import TransientError
from services.common.targets import permitted

TIMEOUT = urllib3.Timeout(connect=3, read=5)
CHUNK_BYTES = 8 * 1024
PORT = 443
OK = 200


class Unreachable(TransientError):
    """The other side did not answer as it should."""

    code = "sns_unreachable"


class PrivateAddress(Exception):
    """The name stands for an address that is not public."""


Resolve = Callable[[str], list[str]]


def resolve(host: str) -> list[str]:
    """Return the addresses of a name. Blocks."""
    found = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Whether an address is one of the public network."""
    return permitted(address, allow_private=False)


class Outbound:
    """Fetches over HTTPS. A test gives its own names, and its own authority for certificates."""

    def __init__(
        self,
        resolve: Resolve = resolve,
        allowed: Callable[[str], bool] = is_public,
        *,
        port: int = PORT,
        authorities: str | None = None,
    ) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._port = port
        self._authorities = authorities

    def fetch(self, url: str, max_bytes: int) -> bytes:
        """Return what is at an https URL, at most `max_bytes`. Blocks.

        Raises `PrivateAddress`, and `Unreachable` for anything but a 200 in time.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        with _translated(host), self._pool(host) as pool:
            answer = pool.request(
                "GET", path, headers={"Host": host}, redirect=False, preload_content=False, retries=False
            )
            try:
                if answer.status != OK:
                    raise Unreachable(f"{host} answered {answer.status}")
                return _bounded(answer.stream(CHUNK_BYTES), max_bytes, host)
            finally:
                answer.close()

    def _pool(self, host: str) -> urllib3.HTTPSConnectionPool:
        addresses = self._resolve(host)
        if not addresses or not all(map(self._allowed, addresses)):
            raise PrivateAddress(f"{host} is not on the public network")
        return urllib3.HTTPSConnectionPool(
            addresses[0],
            self._port,
            timeout=TIMEOUT,
            server_hostname=host,
            assert_hostname=host,
            ca_certs=self._authorities,
            cert_reqs="CERT_REQUIRED",
        )


def _bounded(chunks: Iterator[bytes], max_bytes: int, host: str) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > max_bytes:
            raise Unreachable(f"{host} answered with more than {max_bytes:,} bytes")
    return bytes(data)


@contextlib.contextmanager
def _translated(host: str) -> Iterator[None]:
    try:
        yield
    except (HTTPError, OSError) as error:
        raise Unreachable(f"{host} did not answer: {type(error).__name__}") from error
