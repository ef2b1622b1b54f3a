"""The doctor's look at Docker: its engine, what it was given, its images, and which runtime that makes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from labkit import words
from labkit.doctor import engine, images, passed, registry, runtimes
from labkit.doctor.check import Result
from labkit.doctor.project import DOCKER, LOCAL, Project
from labkit.project import REPOSITORY
from tests.support import dockers
from tests.support.compose import compose_file

Say = Callable[[Mapping[str, str]], None]

GB = 10**9
PERMISSION = "Got permission denied while trying to connect to the Docker daemon socket"
DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Put a program `docker` on the PATH that says what a test wants."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return partial(dockers.install, tmp_path)


GOOD = {"version": "28.0.1", "compose version": "v2.40.3"}


@pytest.mark.parametrize(
    ("answers", "ok", "detail"),
    [
        (GOOD, True, "engine 28.0.1, Compose 2.40.3"),
        ({"version": f"!{PERMISSION}"}, False, "this user may not use the engine's socket"),
        ({"version": f"!{DOWN}"}, False, "the engine does not answer"),
        ({**GOOD, "compose version": "!docker: no such command"}, False, "no `docker compose`"),
        ({**GOOD, "compose version": "1.29.2"}, False, "no `docker compose`"),
    ],
)
def test_docker_answers_or_says_what_is_missing(
    say: Say, answers: dict[str, str], detail: str, *, ok: bool
) -> None:
    """Engine and Compose v2 must both answer; whatever does not has a command that mends it."""
    say(answers)
    found = engine.check_docker()
    assert found.ok is ok
    assert found.detail.startswith(detail)
    assert bool(found.fix) is not ok


def test_no_docker_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no Docker, the doctor says how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engine.check_docker()[:3] == ("Docker", False, "not installed")


@pytest.mark.parametrize(("memory", "word"), [(2 * GB, "note"), (2_900_000_000, "ok"), (0, "note")])
def test_little_memory_is_a_warning(say: Say, memory: int, word: str) -> None:
    """Less than 3 GB is said, and no failure."""
    say({"info": json.dumps({"MemTotal": memory, "OperatingSystem": "Docker Desktop"})})
    given = engine.facts()
    assert given.desktop
    assert engine.check_memory(given).word == word


def test_images_need_room(tmp_path: Path) -> None:
    """The disk of the images is looked at, where the engine says that they are."""
    given = engine.Facts(0, str(tmp_path))
    assert engine.check_disk(given, 0).ok is True
    assert engine.check_disk(given, 10**9).ok is False


@pytest.mark.parametrize(
    ("started", "setting", "pinned", "answers", "runtime"),
    [
        (True, "docker", "docker", True, LOCAL),
        (False, "docker", "local", False, DOCKER),
        (False, "local", "docker", True, LOCAL),
        (False, "", "local", True, LOCAL),
        (False, "", "docker", False, DOCKER),
        (False, "auto", "local", True, DOCKER),
        (False, "", "", True, DOCKER),
        (False, "", "", False, LOCAL),
    ],
)
def test_the_runtime_that_up_takes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    pinned: str,
    runtime: str,
    *,
    started: bool,
    answers: bool,
) -> None:
    """A stack that is up comes first, then the setting, the class, and whether Docker answers."""
    monkeypatch.setattr(words, "ROOT", tmp_path)
    monkeypatch.setenv("LAB_RUNTIME", setting)
    (tmp_path / "class.toml").write_text(f'name = "A"\nruntime = "{pinned or "auto"}"  # for all\n')
    found = runtimes.choose(Project("default", 0, started), docker_answers=answers)
    assert found.runtime == runtime
    assert found.why


def test_what_the_other_runtime_lacks_is_a_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """RabbitMQ alone is enough, and so is Docker alone; what was chosen must be there."""
    monkeypatch.setattr(words, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    docker = [Result("Docker", ok=False, detail="not installed", fix="install it")]
    assert not passed(runtimes.check_runtimes(runtimes.Choice(DOCKER, "so"), docker))
    found = runtimes.check_runtimes(runtimes.Choice(LOCAL, "so"), docker)
    words_of = {result.name: result.word for result in found}
    assert (words_of["Docker"], words_of["Prometheus"]) == ("note", "note")


def test_all_images_are_found_in_the_files() -> None:
    """The images of the compose file and the Dockerfile, each once, with settings filled in."""
    names = images.references()
    text = (REPOSITORY / "docker-compose.yml").read_text()
    assert len(names) == len(set(names)) >= 4
    assert {name for name in names if name in text} >= {"postgres:17", "rabbitmq:4.3.6-management"}
    assert not [name for name in names if "$" in name]
    assert any(name.startswith("python:") for name in names)


def test_an_image_that_has_to_be_asked_for_may_be_missing(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked for it, and the line says what fetches it."""
    say({})
    monkeypatch.setattr(registry, "HUB", "127.0.0.1:9")  # nobody listens there
    spare = images.extras()
    services = compose_file()["services"].values()
    assert spare == [entry["image"] for entry in services if "observability" in entry.get("profiles", ())]
    found = images.check_images(dict.fromkeys(spare))
    assert {result.word for result in found} == {"note"}
    assert all("up --observability" in result.fix for result in found)


def test_an_image_is_here_or_can_be_built_or_is_missed(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is here is not asked for; what no registry has is a failure that names the bundle."""
    say({})
    here, own = "postgres:17", f"{images.OWN}services:latest"
    monkeypatch.setattr(registry, "HUB", "127.0.0.1:9")  # nobody listens there
    found = images.check_images({here: 5 * 10**8, own: None, "rabbitmq:4.3": None})
    assert [result.word for result in found] == ["ok", "note", "failed"]
    assert "500 MB" in found[0].detail
    assert "prepare" in found[1].fix
    assert "127.0.0.1:9 does not answer" in found[2].detail
    assert "--from" in found[2].fix


class Hub(BaseHTTPRequestHandler):
    """A registry that has library/postgres:17, and gives a token to everybody who asks."""

    def do_HEAD(self) -> None:
        """Answer for a manifest."""
        if self.headers.get("Authorization") != "Bearer all":
            self.send_response(HTTPStatus.UNAUTHORIZED)
            realm = f"http://127.0.0.1:{self.server.server_port}/token"  # type: ignore[attr-defined]
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="hub",scope="a:b:pull"')
        else:
            known = self.path == "/v2/library/postgres/manifests/17"
            self.send_response(HTTPStatus.OK if known else HTTPStatus.NOT_FOUND)
        self.end_headers()

    def do_GET(self) -> None:
        """Give the token."""
        assert self.path == "/token?service=hub&scope=a%3Ab%3Apull"
        self.send_response(HTTPStatus.OK)
        self.end_headers()
        self.wfile.write(b'{"token": "all"}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the registry in place of Docker's own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_port}"
        monkeypatch.setattr(registry, "HUB", host)
        yield host
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "offered"), [("postgres:17", True), ("postgres:99", False), ("mine", False)]
)
def test_a_registry_is_asked_without_a_pull(hub: str, name: str, *, offered: bool) -> None:
    """Only the head of the manifest is asked for, with the token that everybody gets."""
    assert registry.server(name) == hub
    assert registry.offers(name, "http") is offered


@pytest.mark.parametrize(
    ("name", "host"),
    [("a/b:1", registry.HUB), ("ghcr.io/a/b:1", "ghcr.io"), ("localhost:5000/a", "localhost:5000")],
)
def test_the_registry_stands_in_the_name(name: str, host: str) -> None:
    """As Docker reads it: a first part with a dot or a port is a host."""
    assert registry.server(name) == host
