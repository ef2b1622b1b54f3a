"""One POST to a receiver that nobody here knows: bounded in time, in what is read, and in where it may go."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from services.common.errors import BadCallback
from services.common.messages import Webhook
from services.common.signatures import signed
from services.common.targets import check_url, permitted

AGENT = "Queue-Lab-Webhooks/1"
READ_BYTES = 16 * 1024
READ_S = 1.0
LOOKUPS = 32
MAX_MESSAGE = 300

FINAL = ("bad_callback_url", "target_refused", "no_secret", "gone")
"""Errors that a later attempt would meet again."""


_ERRORS: tuple[tuple[type[Exception], str, str], ...] = (
    (aiohttp.ClientConnectorDNSError, "unknown_host", "no address was found for the host's name"),
    (
        aiohttp.ClientConnectorCertificateError,
        "bad_certificate",
        "the receiver's certificate is not trusted",
    ),
    (aiohttp.ClientSSLError, "no_tls", "the receiver does not speak TLS as it should"),
    (aiohttp.ClientConnectorError, "no_connection", "no connection: {}"),
    (aiohttp.ServerDisconnectedError, "no_answer", "the receiver closed the connection without an answer"),
    (aiohttp.ClientOSError, "no_answer", "the receiver gave no answer: {}"),
    (aiohttp.InvalidURL, "bad_callback_url", "the URL names no host that can be looked up"),
    (UnicodeError, "bad_callback_url", "the URL names no host that can be looked up"),
)
"""The first that fits."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of an attempt that began at `at`, in seconds since the epoch; no error: delivered."""

    at: float
    duration_s: float
    status_code: int | None = None
    error_code: str | None = None
    error_message: str | None = None


class Poster(Protocol):
    """Makes attempts."""

    async def post(self, webhook: Webhook) -> Posted:
        """Make one attempt; what goes wrong is told, not raised."""


class TargetRefused(OSError):
    """The name leads to an address that webhooks are not sent to; see LAB_WEBHOOK_ALLOW_PRIVATE."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class ThreadResolver(AbstractResolver):
    """The system's resolver in threads of its own: a name server that hangs holds up its own names only."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS, "lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return all addresses of a name; raise OSError without any."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Wait for nothing: a lookup may take long."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class HttpPoster:
    """Signs with `secret` and sends over HTTP; to be used in an `async with`.

    Each attempt opens a connection of its own, and its address is looked at when its socket is made: what
    was looked at is what is connected to, whatever a name server says a moment later. Redirects are not
    followed, proxies not used, and of the answer only the status counts.
    """

    def __init__(
        self, secret: str, *, timeout_s: float, allow_private: bool, resolver: AbstractResolver | None = None
    ) -> None:
        self._secret = secret
        self._timeout_s = timeout_s
        self._allow_private = allow_private
        self._resolver = resolver or ThreadResolver()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                force_close=True,
                use_dns_cache=False,
                resolver=self._resolver,
                happy_eyeballs_delay=None,  # one address after the other: the first refusal is what is raised
                socket_factory=self._socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            auto_decompress=False,
            headers={"User-Agent": AGENT, "Content-Type": "application/json"},
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close."""
        if self._session:
            await self._session.close()
        await self._resolver.close()

    async def post(self, webhook: Webhook) -> Posted:
        """Make one attempt; what goes wrong is told, not raised."""
        at, begun = time.time(), time.perf_counter()
        found = await self._outcome(webhook, at)
        return Posted(at, time.perf_counter() - begun, **found)

    async def _outcome(self, webhook: Webhook, at: float) -> dict[str, Any]:
        if not self._secret:
            return _error("no_secret", "the notifier has no LAB_WEBHOOK_SECRET to sign with")
        headers = signed(self._secret, webhook.webhook_id, webhook.body, at)
        try:
            url = check_url(webhook.callback_url, allow_private=self._allow_private)
            status = await self._send(url, webhook.body, headers)
        except BadCallback as error:
            return _error(error.code, str(error))
        except TimeoutError:
            return _error("timeout", f"no answer within {self._timeout_s:g} s")
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            return _error(*_described(error))
        return {"status_code": status, **_judged(status)}

    async def _send(self, url: str, body: str, headers: dict[str, str]) -> int:
        assert self._session is not None, "use the poster in an async with block"  # noqa: S101
        target = URL(url, encoded=True)
        async with self._session.post(
            target, data=body.encode(), headers=headers, allow_redirects=False
        ) as answer:
            await _drain(answer)
            return answer.status

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Make the socket for an address, if a webhook may go there: the last step before connecting."""
        family, kind, proto, _, address = info
        if not permitted(str(address[0]), allow_private=self._allow_private):
            raise TargetRefused
        return socket.socket(family, kind, proto)


async def _drain(answer: aiohttp.ClientResponse) -> None:
    """Read a short answer, so that its sender is not cut off; leave a long or slow one."""
    try:
        async with asyncio.timeout(READ_S):
            await answer.content.readexactly(READ_BYTES)
    except (TimeoutError, asyncio.IncompleteReadError, aiohttp.ClientError, HttpProcessingError):
        pass
    answer.close()


def _judged(status: int) -> dict[str, Any]:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return {}
    if status == HTTPStatus.GONE:
        return _error("gone", "the receiver wants no more webhooks (410 Gone)")
    redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    why = " (redirects are not followed)" if redirected else ""
    return _error("bad_status", f"the receiver answered {status}{why}")


def _described(error: Exception) -> tuple[str, str]:
    """Return a short word and a sentence for what ended an attempt, without what was received."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, TargetRefused):
        return "target_refused", str(cause)
    for kind, code, words in _ERRORS:
        if isinstance(error, kind):
            return code, words.format(_reason(cause))
    return "bad_answer", "the receiver's answer was no HTTP"


def _reason(error: object) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else "the connection ended"


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error_code": code, "error_message": message[:MAX_MESSAGE]}
