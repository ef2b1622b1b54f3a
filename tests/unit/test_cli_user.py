"""user add, list, password, remove, and what labctl does where users log in."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from labkit.access import api
from labkit.stack import SERVICES, Options, launches
from services.common import passwords
from services.common.jobs import User
from tests.support.lab import World, picture
from tests.support.people import PASSWORD, SECRET


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world whose stack is up."""
    return World.make(tmp_path).up()


def found(world: World, name: str) -> User | None:
    """Look an account up."""
    with contextlib.closing(world.jobs()) as table:
        return table.users.find(name)


def test_an_account_is_made(world: World) -> None:
    """The password comes from a pipe, and is kept as a hash; what is missing to use it is said."""
    result = world.run("user", "add", "anna", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert "anna can log in." in result.stdout
    assert "LAB_AUTH=required" in result.stdout
    assert PASSWORD not in result.output
    user = found(world, "anna")
    assert user
    assert user.role == "user"
    assert passwords.matches(user.password_hash, PASSWORD)


def test_an_admin_is_made_and_all_are_listed(world: World) -> None:
    """The list has names and roles, never a hash."""
    world.run("user", "add", "teacher", "--admin", "--password-stdin", stdin=PASSWORD)
    world.run("user", "add", "anna", "--password-stdin", stdin=PASSWORD)
    shown = world.run("user", "list").stdout
    assert "teacher  admin" in shown
    listed = json.loads(world.run("user", "list", "--json").stdout)["users"]
    assert [(user["username"], user["role"]) for user in listed] == [("anna", "user"), ("teacher", "admin")]
    assert "argon2" not in shown + str(listed)


def test_without_users_the_list_says_so(world: World) -> None:
    """An empty table would leave one wondering."""
    assert "There are no users." in world.run("user", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("add", "Anna"), PASSWORD, "is no name for a user"),
        (("add", "anna"), "short", "This password will not do"),
        (("add", "taken"), PASSWORD, "There is a user taken already"),
        (("password", "nobody"), PASSWORD, "nobody"),
        (("password", "taken"), "1234567890", "This password will not do"),
    ],
)
def test_what_cannot_be_is_refused(world: World, arguments: tuple[str, ...], stdin: str, said: str) -> None:
    """One line says why, and what to do."""
    world.run("user", "add", "taken", "--password-stdin", stdin=PASSWORD)
    result = world.run("user", *arguments, "--password-stdin", stdin=stdin)
    assert result.exit_code == 1
    assert said in result.stderr


def test_nobody_to_ask_is_said(world: World) -> None:
    """Without a terminal a password is not waited for."""
    result = world.run("user", "add", "anna")
    assert result.exit_code == 1
    assert "--password-stdin" in result.stderr


def test_another_password_is_set(world: World) -> None:
    """The old one is no good any more, and its sessions end."""
    world.run("user", "add", "anna", "--password-stdin", stdin=PASSWORD)
    assert world.run("user", "password", "anna", "--password-stdin", stdin="another password").exit_code == 0
    user = found(world, "anna")
    assert user
    assert user.version == 2
    assert passwords.matches(user.password_hash, "another password")


def test_an_account_is_removed_when_somebody_says_so(world: World) -> None:
    """It asks first, and a no changes nothing."""
    world.run("user", "add", "anna", "--password-stdin", stdin=PASSWORD)
    world.answer = False
    assert world.run("user", "remove", "anna").exit_code != 0
    assert found(world, "anna")
    assert world.run("user", "remove", "anna", "--yes").exit_code == 0
    assert found(world, "anna") is None
    assert world.run("user", "remove", "anna", "--yes").exit_code == 1


def test_labctl_works_where_users_log_in(tmp_path: Path) -> None:
    """It signs itself a token; without the secret the API's own words are shown."""
    world = World.make(tmp_path)
    settings = {"LAB_AUTH": "required", "LAB_JWT_SECRET": SECRET}
    world.runtime.up(Options(counts={"worker": 1}, settings=settings))
    path = tmp_path / "photo.png"
    path.write_bytes(picture())
    with world.api(auth="required", jwt_secret=SECRET):
        done = world.run("upload", str(path), "--wait", "--json")
        assert done.exit_code == 0, done.output
        [entry] = json.loads(done.stdout)
        assert entry["status"] == "completed"
        assert world.run("job", entry["job_id"]).exit_code == 0
        assert entry["job_id"] in world.run("jobs", "--json").stdout
        assert world.run("dlq", "list").exit_code == 0
        assert asyncio.run(_downloaded(world, f"/jobs/{entry['job_id']}/original")) == 200
        world.runtime.up(Options(settings={"LAB_AUTH": "required", "LAB_JWT_SECRET": ""}))
        refused = world.run("jobs")
        assert refused.exit_code == 1
        assert "nobody is logged in" in refused.stderr


async def _downloaded(world: World, path: str) -> int:
    async with api(world.runtime) as client:
        status, _ = await client.download(path)
        return status


def test_only_the_api_gets_the_secrets() -> None:
    """Whoever takes over a worker does not get the key with which tokens are signed."""
    backing = {"LAB_JWT_SECRET": SECRET, "LAB_WEBHOOK_SECRET": "w"}
    wanted = launches(SERVICES, Options(settings={"LAB_ADMIN_PASSWORD": PASSWORD}), backing)
    knowing = {
        launch.service.name for launch in wanted if {"LAB_JWT_SECRET", "LAB_ADMIN_PASSWORD"} & set(launch.env)
    }
    assert knowing == {"api"}
