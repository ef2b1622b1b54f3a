"""/events and /ws over real HTTP: what a listener is told, who is refused, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from services.api.routes.events import MAX_JOB_IDS
from services.common import heads
from services.common.envelopes import changes_envelope
from services.common.messages import Changes
from tests.support.api import Api, answer, code, running
from tests.support.examples import event, new_id
from tests.support.waiting import eventually

PATIENCE_S = 0.3

Told = dict[str, Any]
Stream = AsyncIterator[Told]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


@contextlib.asynccontextmanager
async def listening(
    api: Api, way: str, query: str = "", **headers: str
) -> AsyncIterator[AsyncIterator[Told]]:
    """Listen at /events or /ws while the block runs; give what is told."""
    async with aiohttp.ClientSession(headers=headers) as session:
        if way == "/ws":
            async with session.ws_connect(f"{api.url}/ws?{query}") as connection:
                yield _spoken(connection)
        else:
            async with session.get(f"{api.url}/events?{query}") as response:
                assert response.status == 200
                assert response.content_type == "text/event-stream"
                yield _streamed(response.content)


async def _spoken(connection: aiohttp.ClientWebSocketResponse) -> Stream:
    async for message in connection:
        yield json.loads(message.data)
    yield {"closed": connection.close_code}


async def _streamed(lines: aiohttp.StreamReader) -> Stream:
    place = ""
    async for line in lines:
        name, _, value = line.decode().rstrip().partition(": ")
        place = value if name == "id" else place
        if name == "data":
            told = json.loads(value)
            assert told["type"] == "bye" or str(told["seq"]) == place
            yield told


async def take(told: Stream, count: int) -> list[Told]:
    """Take the next so many."""
    async with asyncio.timeout(10):
        return [await anext(told) for _ in range(count)]


@pytest.mark.parametrize("way", ["/events", "/ws"])
async def test_a_listener_is_told_what_changes(api: Api, way: str) -> None:
    """First its place, then each change in the words of a job, failures with their reason."""
    job = new_id()
    async with listening(api, way) as told:
        assert await take(told, 1) == [{"type": "hello", "seq": 0}]
        api.write(event("job.started", job))
        [failed] = api.write(event("job.failed", job))
        started, ended = await take(told, 2)
        assert (started["type"], started["status"], started["job_id"]) == ("change", "processing", job)
        assert (ended["status"], ended["reason"], ended["error_message"]) == (
            "failed",
            "permanent",
            "not an image",
        )
        assert (ended["seq"], ended["operations"], ended["attempts"]) == (failed.seq, ["resize,800x600"], 1)
        shown = answer(api.get(f"/jobs/{job}"))
        assert {name: shown[name] for name in shown.keys() & ended.keys()} == {
            name: ended[name] for name in shown.keys() & ended.keys()
        }


@pytest.mark.parametrize("way", ["/events", "/ws"])
async def test_a_listener_resumes_after_the_last_change_it_has(api: Api, way: str) -> None:
    """Once more from the start with 0, nothing twice, and live from there on."""
    one, two, three = api.write(*(event("job.started") for _ in range(3)))
    async with listening(api, way, f"after={one.seq}") as told:
        found = await take(told, 3)
        assert [each["seq"] for each in found] == [one.seq, two.seq, three.seq]
        [four] = api.write(event("job.started"))
        assert [each["seq"] for each in await take(told, 1)] == [four.seq]
    async with listening(api, way, "after=0") as told:
        assert [each["seq"] for each in await take(told, 5)] == [0, one.seq, two.seq, three.seq, four.seq]
    async with listening(api, way) as told:
        assert await take(told, 1) == [{"type": "hello", "seq": four.seq}]


async def test_the_header_of_a_browser_wins(api: Api) -> None:
    """It connects again by the same address, with the id that it got last."""
    one, two = api.write(event("job.started"), event("job.started"))
    async with listening(api, "/events", "after=0", **{"Last-Event-ID": str(one.seq)}) as told:
        assert [each["seq"] for each in await take(told, 2)] == [one.seq, two.seq]


@pytest.mark.parametrize("way", ["/events", "/ws"])
async def test_a_listener_may_want_some_changes_only(api: Api, way: str) -> None:
    """By job and by status, each of them more than once."""
    a, b, c = (new_id() for _ in range(3))
    query = f"job_id={a}&job_id={b}&status=failed&status=completed"
    async with listening(api, way, query) as told:
        await take(told, 1)
        api.write(*(event("job.started", job) for job in (a, b, c)))
        api.write(event("job.completed", c), event("job.failed", a), event("job.completed", b))
        found = [(each["job_id"], each["status"]) for each in await take(told, 2)]
        assert found == [(a, "failed"), (b, "completed")]


WRONG = (
    ("after=-1", "bad_field"),
    ("after=x", "bad_field"),
    (f"after={2**63}", "bad_field"),
    ("status=lost", "bad_field"),
    ("job_id=a%00b", "bad_field"),
    ("batch_id=%20", "bad_field"),
    ("&".join(f"job_id={number}" for number in range(MAX_JOB_IDS + 1)), "bad_field"),
)


@pytest.mark.parametrize(("query", "error"), WRONG, ids=[query[:12] for query, _ in WRONG])
async def test_wrong_wishes_are_said(api: Api, query: str, error: str) -> None:
    """With the status and the words of all errors; a WebSocket gets them instead of its handshake."""
    assert code(api.get(f"/events?{query}")) == (400, error)
    assert await refused(api, query) == (400, error)


async def refused(api: Api, query: str = "", **headers: str) -> tuple[int, str]:
    """Ask for a WebSocket by hand; return the status and the code of the refusal."""
    asked = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **headers,
    }
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{api.url}/ws?{query}", headers=asked) as found,
    ):
        return found.status, (await found.json())["error"]["code"]


def test_a_wrong_last_event_id_is_said(api: Api) -> None:
    """It is not one of ours."""
    assert code(api.get("/events", Last_Event_ID="abc")) == (400, "bad_field")


async def test_other_pages_may_not_open_a_socket(tmp_path: Path) -> None:
    """Programs and the API's own pages may, and those that a setting names."""
    with running(tmp_path, allowed_origins="http://127.0.0.1:8080, https://lab.example") as api:
        for origin in (api.url, "http://127.0.0.1:8080", "https://lab.example"):
            async with listening(api, "/ws", Origin=origin) as told:
                await take(told, 1)
        for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
            assert await refused(api, Origin=origin) == (403, "origin_refused")


async def test_there_is_room_for_so_many_listeners(tmp_path: Path) -> None:
    """One more is refused, of either kind; a place that becomes free can be taken."""
    with running(tmp_path, max_listeners=2) as api:
        async with listening(api, "/events") as first, listening(api, "/ws") as second:
            await take(first, 1)
            await take(second, 1)
            response = api.get("/events")
            assert code(response) == (503, "too_many_listeners")
            assert response.headers["Retry-After"]
            assert await refused(api) == (503, "too_many_listeners")

        def free() -> bool:
            with contextlib.closing(
                api.http.request("GET", api.url + "/events", preload_content=False)
            ) as found:
                return found.status == 200

        await eventually(free)


async def test_no_table_no_stream(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where to begin is in the table; without it there is nothing to promise."""
    monkeypatch.setattr(api.table, "_engine", type(api.table)("sqlite:////no/such/lab.db")._engine)
    assert code(api.get("/events")) == (503, "database_unavailable")
    assert await refused(api) == (503, "database_unavailable")


@pytest.mark.parametrize("way", ["/events", "/ws"])
async def test_a_stop_ends_all_streams_at_once(tmp_path: Path, way: str) -> None:
    """With a word that says so, and without the seconds that a server waits for requests in hand."""
    loop = asyncio.get_running_loop()
    with running(tmp_path) as api:
        async with listening(api, way) as told:
            await take(told, 1)
            begun = loop.time()
            closing = loop.run_in_executor(None, api.stop)
            [last] = await take(told, 1)
            assert last == {"closed": 1012} or (last["type"], "stops" in last["reason"]) == ("bye", True)
            await closing
    assert loop.time() - begun < 4  # it would wait 5 s for a stream that does not end


def flood(api: Api) -> None:
    """Fill the table with more than all buffers between server and client hold: about 10 MB."""
    long = {"error_message": "x" * 500, "operations": "y" * 1000, "filename": "z" * 300}
    events = [event("job.failed", **long) for _ in range(4000)]
    api.publish(changes_envelope(Changes(after=api.table.apply(events).rows[-1].seq)))


def deaf(api: Api, path: str, *headers: str) -> socket.socket:
    """Ask for a stream, and read nothing of it."""
    host, port = urlsplit(api.url).hostname, urlsplit(api.url).port
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(10)
    line.connect((host, port))
    asked = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", *headers, "", ""]
    line.sendall("\r\n".join(asked).encode())
    return line


def rest(line: socket.socket) -> bytes:
    """Read on until the end."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    read = bytearray()
    with line, contextlib.suppress(ConnectionResetError):
        while part := line.recv(1 << 16):
            read += part
    return bytes(read)


def dropped(api: Api, transport: str) -> float:
    """Return how many listeners were dropped."""
    found = answer(api.get("/metrics", Accept="application/json")).get("listeners_dropped_total", ())
    return float(sum(each["value"] for each in found if each["labels"]["transport"] == transport))


SOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.mark.parametrize(
    ("path", "headers", "transport"),
    [("/events", (), "sse"), ("/ws", SOCKET, "websocket")],
    ids=["sse", "ws"],
)
def test_who_does_not_read_is_dropped(
    tmp_path: Path,
    path: str,
    headers: Sequence[str],
    transport: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is logged and counted; a client that reads on finds the reason, after what it was sent before."""
    monkeypatch.setattr(heads, "PARTING_S", 1.0)
    with running(tmp_path, listener_patience_s=PATIENCE_S) as api:
        flood(api)
        before = dropped(api, transport)
        line = deaf(api, f"{path}?after=0", *headers)
        asyncio.run(eventually(lambda: dropped(api, transport) == before + 1))
        read = rest(line)
    assert b"nothing was read for 0.3 s" in read[-300:]
    assert len(read) < 7_000_000
    [record] = [record for record in caplog.records if record.getMessage() == "listener_dropped"]
    assert record.__dict__["transport"] == transport


@pytest.mark.parametrize(("path", "headers"), [("/events", ()), ("/ws", SOCKET)], ids=["sse", "ws"])
async def test_a_stop_does_not_wait_for_who_does_not_read(
    tmp_path: Path, path: str, headers: Sequence[str]
) -> None:
    """A line that is full is cut."""
    loop = asyncio.get_running_loop()
    with running(tmp_path) as api:
        flood(api)
        line = deaf(api, f"{path}?after=0", *headers)
        await eventually(lambda: line.recv(1, socket.MSG_PEEK))
        begun = loop.time()
        await loop.run_in_executor(None, api.stop)
    assert loop.time() - begun < 4
    line.close()
