"""The API on its in-memory twins and a real SQLite file, served over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import urllib3
from PIL import Image

from services.api.app import assemble, build
from services.api.context import Context
from services.api.settings import ApiSettings
from services.common.broker import Delivery, Outgoing
from services.common.confirms import failed
from services.common.envelopes import changes_envelope
from services.common.errors import BrokerUnavailable
from services.common.jobs import JobStore
from services.common.messages import Change, Event, Job
from services.common.program import serving
from services.common.testing import MemoryBroker, MemoryStore
from services.common.topology import JOBS, declarations, run_queue

ResultT = TypeVar("ResultT")

EVENTS = run_queue("test")


@dataclass
class Api:
    """A running API, and what it stands on."""

    url: str
    broker: MemoryBroker
    store: MemoryStore
    table: JobStore
    loop: asyncio.AbstractEventLoop
    stop: Callable[[], None]
    """Ends the API, and returns when it has."""
    parts: Context
    http: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, timeout=20, maxsize=16)
    )

    def get(self, path: str, **headers: str) -> urllib3.BaseHTTPResponse:
        """Ask for a path; underscores in header names stand for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.request("GET", self.url + path, headers=named)

    def post(self, path: str, body: object) -> urllib3.BaseHTTPResponse:
        """Send JSON; bytes are sent as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.request(
            "POST", self.url + path, body=data, headers={"Content-Type": "application/json"}
        )

    def upload(self, data: bytes | None = None, /, **fields: str) -> urllib3.BaseHTTPResponse:
        """Send a picture (or `data`) in the field `file`, and text fields."""
        content = picture() if data is None else data
        return self.form({"file": ("photo.jpg", content), **fields})

    def form(
        self,
        fields: Any,  # noqa: ANN401  (what urllib3 takes as fields)
        path: str = "/upload",
        key: str = "",
    ) -> urllib3.BaseHTTPResponse:
        """Send a form, with an idempotency key if there is one."""
        headers = {"Idempotency-Key": key} if key else {}
        return self.http.request("POST", self.url + path, fields=fields, headers=headers)

    def batch(self, *files: bytes, key: str = "", **fields: str) -> urllib3.BaseHTTPResponse:
        """Send files in one form, and text fields."""
        parts = [("files", (f"{place}.jpg", data)) for place, data in enumerate(files)]
        return self.form([*parts, *fields.items()], "/upload/batch", key)

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run a coroutine on the API's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def publish(self, message: Outgoing) -> None:
        """Publish a message past the API."""

        async def send() -> None:
            await self.broker.publish(message)

        self.run(send())

    def write(self, *events: Event) -> Sequence[Change]:
        """Commit events, and tell of them, as the tracker does."""
        changes = self.table.apply(events)
        self.publish(changes_envelope(changes))
        return changes.rows

    def jobs(self, queue: str = "image.jobs") -> list[Job]:
        """Take all jobs that wait in a queue."""
        return [Job.decode(delivery.body) for delivery in self._take(queue)]

    def events(self) -> list[Event]:
        """Take all events published so far."""
        return [Event.decode(delivery.body) for delivery in self._take(EVENTS.name)]

    def _take(self, queue: str) -> list[Delivery]:
        async def take() -> list[Delivery]:
            taken: asyncio.Queue[Delivery] = asyncio.Queue()
            ready = (await self.broker.depth(queue)).ready
            subscription = await self.broker.consume(queue, taken.put, prefetch=0)
            deliveries = [await taken.get() for _ in range(ready)]
            await subscription.cancel()
            for delivery in deliveries:
                delivery.ack()
            return deliveries

        return self.run(take())


def unconfirmed() -> asyncio.Future[None]:
    """Return the outcome of a publish without its confirm."""
    return failed(BrokerUnavailable("no confirm within 10 s"))


class Unconfirming(MemoryBroker):
    """A broker that takes messages of one exchange and never confirms them."""

    exchange = JOBS

    def publish(self, message: Outgoing) -> asyncio.Future[None]:
        """Route a message, and break the connection before the confirm."""
        outcome = super().publish(message)
        return unconfirmed() if message.exchange == self.exchange else outcome


def picture(width: int = 64, height: int = 48, kind: str = "JPEG") -> bytes:
    """Return a small picture."""
    data = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(data, kind)
    return data.getvalue()


def answer(response: urllib3.BaseHTTPResponse) -> Any:  # noqa: ANN401  (any JSON)
    """Return the body as JSON."""
    return json.loads(response.data)


def code(response: urllib3.BaseHTTPResponse) -> tuple[int, str]:
    """Return the status and the error code, once the error has all of its parts."""
    error = answer(response)["error"]
    assert set(error) == {"code", "message", "hint"}
    assert all(error.values())
    return response.status, error["code"]


@contextlib.contextmanager
def running(
    folder: Path,
    *,
    broker: Callable[[], MemoryBroker] | None = None,
    store: Callable[[], MemoryStore] = MemoryStore,
    **settings: object,
) -> Iterator[Api]:
    """Serve the API while the block runs, with `settings` over the defaults."""
    table = JobStore(f"sqlite:///{folder}/lab.db")
    table.create_schema()
    ready: Future[Api] = Future()
    stop = threading.Event()
    wanted = ApiSettings.model_validate({"port": 0, **settings})
    make = broker or (lambda: MemoryBroker(declarations()))

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        memory_store = store()
        async with make() as memory:
            memory.declare(EVENTS)
            parts = assemble(wanted, memory, memory_store, table)
            async with serving(build(parts), wanted) as url, parts.listeners, parts.roster:
                ready.set_result(Api(url, memory, memory_store, table, loop, end, parts))
                await loop.run_in_executor(None, stop.wait)
            await parts.publisher.drain()
            await parts.objects.drain()
            parts.rows.close()

    def end() -> None:
        stop.set()
        thread.join(10)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        api = ready.result(10)
        yield api
        api.http.clear()
    finally:
        end()
        table.close()
