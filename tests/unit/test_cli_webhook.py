"""webhook listen, upload --callback, and the deliveries that `job` shows."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import aiohttp
import pytest
from rich.console import Console
from typer.testing import Result

from labkit.errors import LabError
from labkit.stack import Options
from labkit.views.webhooks import received_line, webhooks_part
from labkit.webhooks import Received, Receiver
from services.common.signatures import signed
from tests.support.examples import attempt
from tests.support.lab import World, picture
from tests.support.ports import free_offset
from tests.support.receiver import SECRET

BODY = json.dumps({"type": "job.completed", "data": {"job_id": "job-1", "status": "completed"}})


def shown(part: object, width: int = 80) -> str:
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(part)
    return capture.get()


async def post(url: str, headers: dict[str, str], body: str = BODY) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status


async def test_a_receiver_fails_first_then_takes() -> None:
    """`--fail 2` answers 500 twice; copies are counted by their id, a wrong signature is a 401."""
    got: list[Received] = []
    good = signed(SECRET, "job-1:1", BODY, time.time())
    async with Receiver(SECRET, got.append, fail=2).serving("127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}/any/path"
        answers = [await post(url, good) for _ in range(3)]
        forged = await post(url, good | {"webhook-id": "job-2:1"})
        bare = await post(url, {})
    assert (answers, forged, bare) == ([500, 500, 204], 401, 401)
    assert [(each.number, each.copy, each.taken) for each in got[:3]] == [
        (1, 1, False),
        (2, 2, False),
        (3, 3, True),
    ]
    assert {(each.type, each.job_id, each.status) for each in got[:3]} == {
        ("job.completed", "job-1", "completed")
    }
    assert [bool(each.problem) for each in got] == [False, False, False, True, True]


async def test_a_receiver_can_be_slow() -> None:
    """`--slow` answers after a while."""
    begun = asyncio.get_running_loop().time()
    async with Receiver(SECRET, lambda _: None, slow_s=0.2).serving("127.0.0.1", 0) as port:
        await post(f"http://127.0.0.1:{port}/", signed(SECRET, "a:1", BODY, time.time()))
    assert asyncio.get_running_loop().time() - begun >= 0.2


async def test_a_port_that_is_taken_is_said() -> None:
    """Two receivers cannot have one port."""
    async with Receiver(SECRET, lambda _: None).serving("127.0.0.1", 0) as port:
        with pytest.raises(LabError, match=f"127.0.0.1:{port}"):
            async with Receiver(SECRET, lambda _: None).serving("127.0.0.1", port):
                pass


def test_a_line_for_each_post() -> None:
    """What came, whether it was verified, and what it was answered."""
    first = Received(1, 0.0, 500, "", "job-1:1", 1, "job.completed", "job-1", "completed")
    again = Received(2, 1.0, 204, "", "job-1:1", 2, "job.completed", "job-1", "completed")
    forged = Received(3, 2.0, 401, "the timestamp is more than 5 minutes old", "", 0)
    assert shown(received_line(first)).split() == (
        ["00:00:00", "UTC", "1", "verified", "job.completed", "job-1", "answered", "500"]
    )
    assert "the same id for the 2nd time" in shown(received_line(again), 120)
    assert "answered" not in shown(received_line(again), 120)
    assert "refused  the timestamp is more than 5 minutes old; answered 401" in shown(
        received_line(forged), 120
    )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a running stack whose jobs are completed at once."""
    world = World.make(tmp_path)
    world.runtime.up(Options(settings={"LAB_WEBHOOK_SECRET": SECRET, "LAB_WEBHOOK_ALLOW_PRIVATE": "true"}))
    with world.api():
        yield world


def _knock(url: str, headers: dict[str, str], done: Future[Result]) -> int:
    """POST as soon as somebody listens."""
    while not done.done():
        request = urllib.request.Request(url, BODY.encode(), headers, method="POST")  # noqa: S310  (our own)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  (same)
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            time.sleep(0.01)
    raise AssertionError(done.result().output)


@pytest.mark.parametrize(("secret", "code"), [(SECRET, 0), ("whsec_" + "A" * 32, 1)])
def test_listen_verifies(world: World, secret: str, code: int) -> None:
    """`webhook listen` takes what the stack has signed; its exit code tells whether all of it was."""
    port = 20000 + free_offset() % 20000
    headers = signed(secret, "job-1:1", BODY, time.time())
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(world.run, "webhook", "listen", "--count", "1", "--port", str(port))
        assert _knock(f"http://127.0.0.1:{port}/", headers, done) == (204 if code == 0 else 401)
        result = done.result(10)
    assert result.exit_code == code
    assert f"--callback http://127.0.0.1:{port}/" in result.stdout.replace("\n", " ")
    assert ("verified" if code == 0 else "does not match") in result.stdout
    assert SECRET not in result.stdout


def test_listen_needs_a_stack(tmp_path: Path) -> None:
    """Without a stack there is nothing to verify with."""
    assert World.make(tmp_path).run("webhook", "listen").exit_code == 1
    assert "LAB_WEBHOOK_SECRET" in World.make(tmp_path).up().run("webhook", "listen").stderr


def test_job_shows_who_was_told(world: World, tmp_path: Path) -> None:
    """`upload --callback` names a receiver; `job` shows each attempt to tell it."""
    path = tmp_path / "photo.png"
    path.write_bytes(picture())
    sent = world.run("upload", str(path), "--wait", "--json", "--callback", "https://example.org/x")
    [entry] = json.loads(sent.stdout)
    assert "webhook  waiting  to example.org" in world.run("job", entry["job_id"]).stdout
    table = world.jobs()
    table.note_attempts([attempt(entry["job_id"]), attempt(entry["job_id"], 2, outcome="failed")])
    table.close()
    page = world.run("job", entry["job_id"]).stdout
    assert "webhook  failed  to example.org" in page
    assert "retrying in 1 s" in page
    assert page.partition("\nwebhook ")[2].count("500") == 4
    found = json.loads(world.run("job", entry["job_id"], "--json").stdout)
    assert [each["attempt"] for each in found["webhooks"]["attempts"]] == [1, 2]


def test_a_callback_that_cannot_be_is_said(world: World, tmp_path: Path) -> None:
    """The API's words are shown."""
    path = tmp_path / "photo.png"
    path.write_bytes(picture())
    result = world.run("upload", str(path), "--callback", "ftp://example.org/")
    assert result.exit_code == 1
    assert "http" in result.stdout


def test_a_delivery_log_at_80_columns() -> None:
    """Nothing is cut off on a narrow terminal."""
    found = {
        "callback_url": "https://hooks.example.org/x",
        "status": "delivered",
        "attempts": [
            {
                "attempt": 1,
                "timestamp": "2026-11-22T09:11:12.156+00:00",
                "duration_ms": 6.588,
                "status_code": None,
                "outcome": "retrying",
                "retry_in_s": 1.0,
                "error_message": "no connection: Connection refused",
            }
        ],
    }
    lines = shown(webhooks_part(found)).splitlines()
    assert lines[0].rstrip() == "webhook  delivered  to hooks.example.org"
    assert lines[2].split() == [
        *("1", "09:11:12", "UTC", "7", "ms", "-", "retrying", "in", "1"),
        *("s:", "no", "connection:", "Connection"),
    ]
