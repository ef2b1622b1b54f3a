"""What a browser gets through the dashboard's own server, and what it is refused."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import aiohttp
import pytest
import urllib3
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from services.common.messages import Event
from services.common.program import serving
from services.common.storage import output_key
from services.common.tokens import Tokens
from services.dashboard.client import Api as Client
from services.dashboard.client import open_session
from services.dashboard.guard import HEADERS, Guard
from services.dashboard.packed import Packed
from services.dashboard.relay import Relay
from services.dashboard.sessions import Sessions
from services.dashboard.settings import DashboardSettings
from tests.support.api import Api, answer, code, picture, running
from tests.support.examples import RESULT
from tests.support.people import PASSWORD, SECRET, Person, account, town

WEB = Path("services/dashboard/web")
FROM_PAGE = {"X-Queue-Lab": "page"}


class Front:
    """The dashboard's server without its pages."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = urllib3.PoolManager(retries=False, timeout=20)

    def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Ask as a browser does."""
        return self._http.request(
            method, self.url + path, headers=headers or {}, body=body, decode_content=False, redirect=False
        )

    def upload(
        self, data: bytes, headers: dict[str, str], operations: str = "resize"
    ) -> urllib3.BaseHTTPResponse:
        """Send a picture."""
        fields: list[tuple[str, str | tuple[str, bytes]]] = [
            ("operations", operations),
            ("file", ("photo.jpg", data)),
        ]
        return self._http.request("POST", f"{self.url}/send", fields=fields, headers=headers)


async def greet(socket: WebSocket) -> None:
    """Say a word to who opens a WebSocket, in place of NiceGUI."""
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


@contextmanager
def fronting(api_url: str, auth: Literal["off", "required"] = "off") -> Iterator[Front]:
    """Serve the dashboard's routes before an API while the block runs."""
    ready: Future[str] = Future()
    stop = threading.Event()

    async def nothing(_: str) -> None:
        pass

    async def serve() -> None:
        async with open_session() as session:
            client = Client(session, api_url)
            relay = Relay(client, Sessions(client), nothing)
            middleware = [
                Middleware(Guard, auth=auth),
                Middleware(Packed),
                Middleware(SessionMiddleware, secret_key="secret"),  # noqa: S106
            ]
            more = [Mount("/web", StaticFiles(directory=WEB)), WebSocketRoute("/socket", greet)]
            app = Starlette(routes=[*relay.routes(), *more], middleware=middleware)
            async with serving(app, DashboardSettings(port=0)) as url:
                ready.set_result(url)
                await asyncio.get_running_loop().run_in_executor(None, stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield Front(ready.result(10))
    finally:
        stop.set()
        thread.join(10)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path, max_upload_bytes=300_000) as api:
        yield api


@pytest.fixture
def front(api: Api) -> Iterator[Front]:
    with fronting(api.url) as front:
        yield front


def completed(api: Api) -> str:
    """Return a job with a result."""
    job_id = str(answer(api.upload())["job_id"])
    [job] = api.jobs()
    result = RESULT.model_copy(update={"key": output_key(job_id, "result")})
    api.store.objects[result.key] = (b"the result", "image/jpeg")
    api.write(Event.of(job, "job.completed", attempt=1, clock=job.clock, outputs=(result,)))
    return job_id


def test_files_come_as_the_api_gives_them(api: Api, front: Front) -> None:
    """Bytes, type and ETag are passed on; who has the file is told so, without it."""
    job_id = completed(api)
    found = front.ask("GET", f"/files/{job_id}/result")
    assert (found.status, found.data, found.headers["content-type"]) == (200, b"the result", "image/jpeg")
    assert "private" in found.headers["cache-control"]
    assert found.headers["content-security-policy"].startswith("sandbox")
    again = front.ask("GET", f"/files/{job_id}/result", headers={"If-None-Match": found.headers["etag"]})
    assert (again.status, again.data) == (304, b"")


def test_nothing_stays_where_people_log_in(tmp_path: Path) -> None:
    """The next one at the same computer finds no picture of the last one, and no way back in."""
    with town(tmp_path) as people, fronting(people.api.url, auth="required") as front:
        account(people.api.table, "clara")
        body = json.dumps({"username": "clara", "password": PASSWORD}).encode()
        entered = front.ask("POST", "/session", headers=FROM_PAGE, body=body)
        assert entered.status == 200, entered.data
        cookie = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}
        clara = people.api.table.users.find("clara")
        assert clara
        token = Tokens(SECRET).mint(clara.user_id, 60, clara.version)
        job_id = answer(Person(people.api, token).upload())["job_id"]
        for path in (f"/files/{job_id}/original", f"/job/{job_id}"):
            found = front.ask("GET", path, headers=cookie)
            assert (found.status, found.headers["cache-control"]) == (200, "private, no-store")
        assert front.ask("DELETE", "/session", headers={**cookie, **FROM_PAGE}).status == 200
        assert front.ask("GET", f"/job/{job_id}", headers=cookie).status == 401


def test_a_job_and_the_catalogue_are_passed_on(api: Api, front: Front) -> None:
    """The page asks its own server for what the API knows."""
    job_id = completed(api)
    found = answer(front.ask("GET", f"/job/{job_id}"))
    assert found["status"] == "completed"
    assert (found["row"]["id"], found["row"]["status"]) == (job_id, "completed")
    assert found["row"]["stages"]
    assert answer(front.ask("GET", "/operations"))["default"] == "resize"
    assert answer(front.ask("GET", "/check?operations=rotate,-90"))["canonical"] == "rotate,270"


def test_an_upload_goes_through_as_it_is(api: Api, front: Front) -> None:
    """The answer is the API's; the same key with the same picture is the same job."""
    headers = {**FROM_PAGE, "Idempotency-Key": "one"}
    first = front.upload(picture(), headers, "resize,40x30")
    assert first.status == 202
    job_id = answer(first)["job_id"]
    assert answer(front.upload(picture(), headers, "resize,40x30"))["job_id"] == job_id
    assert [job.operations for job in api.jobs()] == ["resize,40x30"]


def test_a_refusal_is_in_the_words_of_the_api(api: Api, front: Front) -> None:
    """Codes, messages and next steps come from the API, also for a file that it does not even read."""
    assert code(front.ask("GET", "/job/nobody")) == (404, "job_not_found")
    assert code(front.ask("GET", "/check?operations=explode")) == (400, "bad_operation")
    assert code(front.upload(b"no picture", FROM_PAGE)) == (415, "not_an_image")
    assert code(front.upload(bytes(3_000_000), FROM_PAGE)) == (413, "file_too_large")
    job_id = str(answer(api.upload())["job_id"])
    assert code(front.ask("GET", f"/files/{job_id}/result")) == (409, "job_not_finished")


@pytest.mark.parametrize("path", ["/job/..%2Fdlq", "/files/a/..%2F..%2Fdlq", "/files/a/b.c", "/job/a%3Fb"])
def test_a_path_cannot_lead_elsewhere(front: Front, path: str) -> None:
    """What a browser names becomes a part of the API's path only when it is a plain word."""
    assert front.ask("GET", path).status == 404


def test_an_api_that_is_away_is_a_503(tmp_path: Path) -> None:
    """The page is told what happened, and what to do."""
    with running(tmp_path) as api, fronting(api.url) as front:
        api.stop()
        assert code(front.ask("GET", "/operations")) == (503, "api_away")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_pages_of_others_may_not_send(api: Api, front: Front, origin: str) -> None:
    """A page of another origin is refused, although the browser would send the cookie along."""
    refused = front.upload(picture(), {**FROM_PAGE, "Origin": origin})
    assert code(refused) == (403, "origin_refused")
    assert api.jobs() == []


async def opened(front: Front, **headers: str) -> int:
    """Open a WebSocket, and return the status of the answer once it is told something or refused."""
    async with aiohttp.ClientSession(headers=headers) as session:
        try:
            async with session.ws_connect(f"{front.url}/socket") as socket:
                assert await socket.receive_str(timeout=10) == "hello"
        except aiohttp.WSServerHandshakeError as error:
            return error.status
        return 101


async def test_pages_of_others_may_not_listen(front: Front) -> None:
    """A browser lets any page open a WebSocket to any address; programs send no origin."""
    assert await opened(front) == 101
    assert await opened(front, Origin=front.url) == 101
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "http://[::1"):
        assert await opened(front, Origin=origin) == 403


@pytest.mark.parametrize(
    ("name", "let_in"),
    [
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("LOCALHOST:8080", True),
        ("lab.localhost:8080", True),
        ("dashboard:8000", True),
        ("evil.example", False),
        ("evil.example:8080", False),
        ("127.0.0.1.evil.example", False),
    ],
)
async def test_without_users_no_page_takes_this_machines_place(front: Front, name: str, let_in: bool) -> None:  # noqa: FBT001
    """A page whose own name was made to lead here is its own origin; it may neither look nor listen."""
    own = {"Host": name, "Origin": f"http://{name}"}
    assert front.ask("GET", "/operations", headers={"Host": name}).status == (200 if let_in else 403)
    assert front.upload(picture(), {**FROM_PAGE, **own}).status == (202 if let_in else 403)
    assert await opened(front, **own) == (101 if let_in else 403)


async def test_with_users_any_name_will_do(api: Api) -> None:
    """A page of another name has nobody's cookie."""
    with fronting(api.url, auth="required") as front:
        assert front.ask("GET", "/operations", headers={"Host": "lab.example"}).status == 200
        assert await opened(front, Host="lab.example", Origin="https://lab.example") == 101


def test_the_own_page_may_send(front: Front) -> None:
    """The page's own origin is fine; what no page of ours sent is not."""
    assert front.upload(picture(), {**FROM_PAGE, "Origin": front.url}).status == 202
    refused = front._http.request("POST", f"{front.url}/send", fields={"file": ("a.jpg", picture())})
    assert refused.status == 403
    assert front.ask("POST", "/session", body=b'{"username": "a", "password": "b"}').status == 403
    assert front.ask("DELETE", "/session").status == 403


def test_every_answer_has_the_security_headers(front: Front) -> None:
    """Errors too; a file has a stricter policy of its own."""
    for path in ("/operations", "/nothing", "/web/store.js", "/job/nobody"):
        headers = front.ask("GET", path).headers
        assert {name: headers[name] for name in HEADERS} == dict(HEADERS)


def test_a_login_has_bounds(front: Front) -> None:
    """A name or password without end, or none, is refused before the API is asked."""
    long = b'{"username": "a", "password": "' + b"b" * 5000 + b'"}'
    assert front.ask("POST", "/session", headers=FROM_PAGE, body=long).status == 413
    chunks = front._http.request("POST", f"{front.url}/account", body=iter([long] * 20), headers=FROM_PAGE)
    assert (chunks.status, answer(chunks)["error"]["code"]) == (413, "body_too_large")
    empty = front.ask("POST", "/session", headers=FROM_PAGE, body=b'{"username": ""}')
    assert (empty.status, answer(empty)["error"]["code"]) == (400, "bad_field")


def test_scripts_are_compressed_once_and_checked_for_age(front: Front) -> None:
    """A browser gets them small, asks each time whether they are current, and is told so in a few bytes."""
    accepts = {"Accept-Encoding": "gzip"}
    for _ in range(2):
        found = front.ask("GET", "/web/store.js", headers=accepts)
        assert found.headers["content-encoding"] == "gzip"
        assert gzip.decompress(found.data) == (WEB / "store.js").read_bytes()
    assert found.headers["cache-control"] == "no-cache"
    again = front.ask("GET", "/web/store.js", headers={**accepts, "If-None-Match": found.headers["etag"]})
    assert (again.status, again.data) == (304, b"")
    assert front.ask("GET", "/web/store.js").data == (WEB / "store.js").read_bytes()
    assert front.ask("GET", "/web/none.js", headers=accepts).status == 404
