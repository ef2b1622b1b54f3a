"""Users on the real stack: each has their own jobs, live too, and labctl goes on working."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from typer.testing import CliRunner, Result

from labkit.cli.app import app
from labkit.cli.context import Lab
from labkit.doctor.entry import Api
from labkit.doctor.stack import check_round_trip
from labkit.follow import follow
from labkit.load.workloads import text
from labkit.passes import Pass
from labkit.stack import Options
from tests.acceptance.stack import Stack, eventually
from tests.support.lab import picture
from tests.support.people import PASSWORD

PHOTO = Path("docs/photo.jpg")
ENOUGH_S = 60


class Guest(Pass):
    """Somebody who shows the token that they got."""

    def headers(self, _: int = 0) -> dict[str, str]:
        """Return what their requests carry."""
        return {"Authorization": f"Bearer {self.secret}"}


@pytest.fixture
def guarded(stack: Stack) -> Iterator[Stack]:
    """Give the stack with users."""
    stack.runtime.up(Options(settings={"LAB_AUTH": "required"}))
    yield stack
    stack.runtime.up(Options(settings={"LAB_AUTH": "off"}))


def labctl(stack: Stack, *arguments: str, stdin: str | None = None) -> Result:
    """Run a command on the stack."""
    return CliRunner().invoke(app, arguments, input=stdin, obj=Lab(open_runtime=lambda _: stack.runtime))


def test_two_users_work_side_by_side(guarded: Stack) -> None:
    """Each registers, logs in, uploads and follows; neither sees, hears or fetches anything of the other."""
    url = guarded.runtime.address("api")
    anna, ben = asyncio.run(_side_by_side(url))
    assert set(anna.told) == {anna.job_id}
    assert set(ben.told) == {ben.job_id}
    assert anna.statuses == ben.statuses == {"own": 200, "foreign": 404, "dlq": 403, "nobody": 401}
    assert anna.listed == [anna.job_id]
    assert ben.listed == [ben.job_id]


class _User:
    """What one user did and saw."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.token = ""
        self.job_id = ""
        self.told: list[str] = []
        self.listed: list[str] = []
        self.statuses: dict[str, int] = {}


async def _side_by_side(url: str) -> tuple[_User, _User]:
    users = _User("anna"), _User("ben")
    async with asyncio.timeout(ENOUGH_S), aiohttp.ClientSession(url) as session:
        for user in users:
            await _log_in(session, user)
        listening = [asyncio.create_task(_listen(url, user)) for user in users]
        for user in users:
            user.job_id = await _upload(session, user)
        await asyncio.gather(*listening)
        for user, other in (users, users[::-1]):
            await _look(session, user, other)
    return users


async def _log_in(session: aiohttp.ClientSession, user: _User) -> None:
    body = {"username": user.name, "password": PASSWORD}
    async with session.post("/auth/register", json=body) as answer:
        assert answer.status in (201, 409)
    async with session.post("/auth/login", json=body) as answer:
        user.token = (await answer.json())["access_token"]
    session.cookie_jar.clear()


async def _listen(url: str, user: _User) -> None:
    async for change in follow(url, (), lambda _: None, after=0, entry=Guest(user.token)):
        user.told.append(change["job_id"])
        if change["status"] == "completed":
            return


async def _upload(session: aiohttp.ClientSession, user: _User) -> str:
    form = aiohttp.FormData({"file": io.BytesIO(picture())})
    async with session.post("/upload", data=form, headers=Guest(user.token).headers()) as answer:
        return str((await answer.json())["job_id"])


async def _look(session: aiohttp.ClientSession, user: _User, other: _User) -> None:
    asked = {"own": f"/jobs/{user.job_id}/result", "foreign": f"/jobs/{other.job_id}/result", "dlq": "/dlq"}
    headers = Guest(user.token).headers()
    for what, path in asked.items():
        async with session.get(path, headers=headers) as answer:
            user.statuses[what] = answer.status
    async with session.get(asked["own"]) as answer:
        user.statuses["nobody"] = answer.status
    async with session.get("/jobs", headers=headers) as answer:
        user.listed = [job["job_id"] for job in (await answer.json())["jobs"]]


def test_labctl_goes_on_working(guarded: Stack) -> None:
    """A load run, an upload, the dead letters, the doctor: all are let in as the admin that labctl is."""
    outcome = guarded.send(text(20, 0))
    assert {record.outcome for record in outcome.records} == {"completed"}
    done = labctl(guarded, "upload", str(PHOTO), "--wait", "--json")
    assert done.exit_code == 0, done.output
    job_id = guarded.upload_cut()
    eventually(lambda: guarded.status(job_id)["status"] == "failed", 30)
    eventually(lambda: job_id in _letters(guarded), 30)
    assert labctl(guarded, "retry", job_id).exit_code == 0
    eventually(lambda: job_id in _letters(guarded), 30)
    assert labctl(guarded, "dlq", "purge", "--yes").exit_code == 0
    port = urlsplit(guarded.runtime.address("api")).port
    secret = guarded.runtime.environment()["LAB_JWT_SECRET"]
    found = check_round_trip(Api(port or 0, secret))
    assert found.ok, found.detail
    assert not check_round_trip(Api(port or 0)).ok


def _letters(stack: Stack) -> list[str]:
    shown: dict[str, Any] = json.loads(labctl(stack, "dlq", "list", "--json").stdout)
    return [letter["job_id"] for letter in shown["letters"]]


def test_no_secret_is_in_a_log(guarded: Stack) -> None:
    """What was typed, what was given out and what signs is nowhere in what the programs have written."""
    user = _User("clara")
    added = labctl(guarded, "user", "add", "clara", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert added.exit_code == 0, added.output

    async def work() -> None:
        async with aiohttp.ClientSession(guarded.runtime.address("api")) as session:
            await _log_in(session, user)
            wrong = {"username": "clara", "password": "wrong-wrong-wrong"}
            async with session.post("/auth/login", json=wrong) as answer:
                assert answer.status == 401
            forged = Guest(user.token + "x").headers()
            async with session.get("/jobs", headers=forged) as answer:
                assert answer.status == 401

    asyncio.run(work())
    environment = guarded.runtime.environment()
    secrets = [environment["LAB_JWT_SECRET"], PASSWORD, user.token, "wrong-wrong-wrong"]
    lines = [line.text for line in guarded.runtime.logs(lines=100_000)]
    assert any("login_failed" in line for line in lines)
    assert any("token_refused" in line for line in lines)
    assert [line for line in lines if any(secret in line for secret in secrets)] == []
    assert labctl(guarded, "user", "remove", "clara", "--yes").exit_code == 0
