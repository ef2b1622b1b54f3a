"""The API as the dashboard asks it, for one identity."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from services.common.errors import PermanentError, TransientError

CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 10.0
SLOW_TIMEOUT_S = 60.0
"""For what takes its time: a replay works for up to 20 s, an upload as long as its bytes come."""
KEEP_ALIVE_S = 3.0
"""Less than the 5 s after which the API closes an idle connection: else a request could meet the closing."""

NO_CONTENT = 204

Method = Literal["GET", "POST", "DELETE"]
Bearer = Callable[[], Awaitable[str]]
"""Returns the token to send along, empty when there is none."""


class ApiAway(TransientError):
    """The API does not answer. Is it running? `labctl status` tells."""

    code = "api_away"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the API said when it did not do what was asked: its own words."""

    status: int
    code: str
    message: str
    hint: str
    retry_after_s: float | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, (_sentence(self.message), self.hint)))


class ApiRefused(PermanentError):
    """The API answered with an error."""

    code = "api_refused"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


async def nobody() -> str:
    """Return no token: nobody is logged in."""
    return ""


def open_session() -> aiohttp.ClientSession:
    """Return the connections that all identities share; no cookie of one reaches another."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
    )


class Api:
    """Asks one API. Raises `ApiAway`, and `ApiRefused` for every answer that is an error."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, bearer: Bearer = nobody, address: str = ""
    ) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._bearer = bearer
        self._address = address

    def acting_for(self, bearer: Bearer) -> Api:
        """Return the same API for another identity."""
        return Api(self._session, self._url, bearer, self._address)

    def asked_from(self, address: str) -> Api:
        """Return the same API for a browser at an address, which the API counts its rates by."""
        return Api(self._session, self._url, self._bearer, address)

    async def get(
        self, path: str, query: Mapping[str, str | int] | None = None, *, even: Container[int] = ()
    ) -> Any:  # noqa: ANN401  (any JSON)
        """Return the JSON that is found at a path, also with a status of `even`."""
        async with self.asking("GET", path, params=query, even=even) as response:
            return await response.json()

    async def send(
        self, method: Method, path: str, body: object = None, *, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Any:  # noqa: ANN401  (any JSON)
        """Have something done, and return the answer."""
        async with self.asking(method, path, json=body, timeout=_within(timeout_s)) as response:
            return None if response.status == NO_CONTENT else await response.json()

    @contextlib.asynccontextmanager
    async def asking(
        self,
        method: Method,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        even: Container[int] = (),
        **more: Any,  # noqa: ANN401
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give an answer that is no error, or one of `even`; `more` is what aiohttp takes with a request."""
        named = {**(headers or {}), **await self._who()}
        try:
            async with self._session.request(
                method, self._url + path, headers=named, allow_redirects=False, **more
            ) as response:
                if response.status >= 400 and response.status not in even:  # noqa: PLR2004 - from here on it is an error
                    raise ApiRefused(await _refusal(response))
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiAway(f"The API at {self._url} does not answer: {_told(error)}") from error

    async def _who(self) -> dict[str, str]:
        token = await self._bearer()
        found = {"Authorization": f"Bearer {token}"} if token else {}
        return found | ({"X-Forwarded-For": self._address} if self._address else {})


def endless() -> aiohttp.ClientTimeout:
    """Return the limits of an answer that lasts; one that is silent for long is broken: it has heartbeats."""
    return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=40)


def slow() -> aiohttp.ClientTimeout:
    """Return the limits of an answer that has many bytes."""
    return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SLOW_TIMEOUT_S)


def _within(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_TIMEOUT_S)


async def _refusal(response: aiohttp.ClientResponse) -> Refusal:
    """Read an error; /health says in `checks` what is wrong."""
    try:
        body = await response.json(content_type=None)
        error = body["error"]
        told = Refusal(response.status, error["code"], error["message"], error["hint"], _wait(response))
    except (ValueError, KeyError, TypeError):
        told = Refusal(response.status, "unknown", f"the API answered {response.status}", "", _wait(response))
    return told


def _wait(response: aiohttp.ClientResponse) -> float | None:
    after = response.headers.get("Retry-After", "")
    return float(after) if after.isdecimal() else None


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
