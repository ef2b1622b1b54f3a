"""The pipeline's HTTP API as the instrument uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from labkit.errors import ApiUnreachable
from labkit.passes import NOBODY, Pass

CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 60.0
# Less than the 5 s after which the API closes an idle connection: else a request could meet the closing.
KEEP_ALIVE_S = 3.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `body` is its JSON, empty when it has none."""

    status: int
    body: dict[str, Any]

    @property
    def job_id(self) -> str:
        """The job that the answer is about, empty when there is none."""
        return str(self.body.get("job_id") or self.body.get("message_id") or "")

    @property
    def error(self) -> str:
        """The error's message and hint, empty when the answer is none."""
        error = self.body.get("error", {})
        return " ".join(filter(None, (error.get("message"), error.get("hint"))))


class ApiClient:
    """Asks one API; raises `ApiUnreachable` when it does not answer.

    `base_url` such as `http://127.0.0.1:8000`; `entry` lets it in where users log in.
    Connections are kept, as many as there are requests at once.
    """

    def __init__(self, base_url: str, entry: Pass = NOBODY) -> None:
        self.base_url = base_url.rstrip("/")
        self._entry = entry
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close."""
        if self._session:
            await self._session.close()

    async def upload(
        self,
        image: bytes,
        filename: str,
        operations: str,
        *,
        priority: int = 0,
        key: str = "",
        callback_url: str = "",
    ) -> Answer:
        """Upload one image; the same image with the same idempotency key is the same job."""
        form = _form({"file": [(filename, image)]}, operations, priority)
        if callback_url:
            form.add_field("callback_url", callback_url)
        return await self.send("POST", "/upload", data=form, headers=_keyed(key))

    async def upload_batch(
        self, images: Sequence[tuple[str, bytes]], operations: str, *, priority: int = 0, key: str = ""
    ) -> Answer:
        """Upload images, each with its file name, in one request."""
        form = _form({"files": images}, operations, priority)
        return await self.send("POST", "/upload/batch", data=form, headers=_keyed(key))

    async def produce(
        self, payload: object, processing_time_s: float, *, priority: int = 0, job_id: str = ""
    ) -> Answer:
        """Enqueue one text job; the API chooses its id when there is none."""
        body = {"payload": payload, "processing_time": processing_time_s, "priority": priority}
        return await self.send("POST", "/produce", json=body | ({"id": job_id} if job_id else {}))

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body that is complete already."""
        return await self.send("POST", path, data=body, headers=headers)

    async def get(self, path: str, **query: str | int) -> Answer:
        """Ask for JSON."""
        return await self.send("GET", path, params=query)

    async def download(self, path: str) -> tuple[int, bytes]:
        """Return the status and the body, whatever it is."""
        try:
            async with self._open.get(self.base_url + path, headers=self._entry.headers()) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ApiUnreachable.of(self.base_url, error) from error

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        **arguments: Any,  # noqa: ANN401  (aiohttp's)
    ) -> Answer:
        """Send a request; an answer that is an error is an answer too."""
        shown = {**self._entry.headers(), **(headers or {})}
        try:
            async with self._open.request(
                method, self.base_url + path, headers=shown, **arguments
            ) as response:
                is_json = response.content_type == "application/json"
                return Answer(response.status, await response.json() if is_json else {})
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ApiUnreachable.of(self.base_url, error) from error

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use the client in an async with block")
        return self._session


async def form_bytes(image: bytes, filename: str, operations: str, priority: int = 0) -> tuple[bytes, str]:
    """Return the body of an upload and its content type."""
    form = _form({"file": [(filename, image)]}, operations, priority)()
    return await form.as_bytes(), form.headers["Content-Type"]


def _form(
    files: Mapping[str, Sequence[tuple[str, bytes]]], operations: str, priority: int
) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False)  # names as they are, in UTF-8
    for field, images in files.items():
        for filename, image in images:
            form.add_field(field, image, filename=filename)
    form.add_field("operations", operations)
    form.add_field("priority", str(priority))
    return form


def _keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key} if key else {}
