"""The parts of the doctor that need no stack."""

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import labkit.project
from labkit import words
from labkit.doctor import machine, passed, ports, stack, usage, view
from labkit.doctor.check import Result
from labkit.doctor.holders import STACK_MARK, holder
from labkit.doctor.picture import make_png, png_size
from labkit.doctor.project import DOCKER, EXTRAS, LOCAL, LOCAL_PORTS, PORTS, Project, read_project
from labkit.errors import PortTaken
from labkit.install.errors import LabError
from labkit.runtime import record
from labkit.runtime.local import ports as local

OK = Result("memory", ok=True, detail="8.0 GB")
NOTE = Result("Docker", ok=None, detail="not installed (optional)", fix="install it", optional=True)
UNKNOWN = Result("database", ok=None, detail="the API does not tell", fix="look at the log")
FAILED = Result("port 15772 management", ok=False, detail="held by " + "a program " * 9, fix="x" * 100)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Open a socket of this process that listens on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize(
    ("result", "expected"), [(OK, True), (NOTE, True), (UNKNOWN, False), (FAILED, False)]
)
def test_unknown_is_a_pass_for_nobody_but_the_optional(result: Result, *, expected: bool) -> None:
    """Only true passes, and what is optional."""
    assert passed([OK, result]) is expected
    assert json.loads(view.as_json([OK, result]))["ok"] is expected


def test_json_has_exactly_the_promised_keys() -> None:
    """A check is name, ok, detail and fix."""
    checks = json.loads(view.as_json([NOTE]))["checks"]
    assert checks == [
        {"name": "Docker", "ok": None, "detail": "not installed (optional)", "fix": "install it"}
    ]


def test_text_fits_80_columns_except_for_commands() -> None:
    """Details wrap; a command stays in one piece so that it can be copied."""
    lines = view.as_text([OK, NOTE, UNKNOWN, FAILED], colour=False, again="verify").splitlines()
    assert max(len(line) for line in lines if "fix:" not in line) <= 80
    assert f"         fix: {'x' * 100}" in lines
    assert lines[-2:] == ["2 of 4 checks did not pass. Mend them, then look again:", "verify"]


def test_text_is_coloured_only_when_asked() -> None:
    """No escape codes go to a file."""
    assert "\033" not in view.as_text([OK, FAILED], colour=False, again="")
    assert "\033[31mfailed" in view.as_text([OK, FAILED], colour=True, again="")


def test_free_and_held_ports(listener: socket.socket) -> None:
    """A port is held while somebody listens on it, on all addresses too."""
    port = listener.getsockname()[1]
    assert ports.is_free(port) is False
    listener.close()
    assert ports.is_free(port) is True
    with socket.create_server(("", port)):
        assert ports.is_free(port) is False


def test_holder_is_named(listener: socket.socket) -> None:
    """The process that listens is told with its id."""
    who = holder(listener.getsockname()[1])
    assert who is not None
    assert who.pid == os.getpid()
    assert str(os.getpid()) in str(who)


LISTENER = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    input()
"""


@pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="only Linux shows a process's environment"
)
@pytest.mark.parametrize(("project", "expected"), [("red", True), ("blue", False)])
def test_port_of_the_own_stack_is_well(project: str, *, expected: bool) -> None:
    """A port held by a process of this project passes; another project's fails and offers other ports."""
    red = Project("red", 0)
    env = {**os.environ, "LAB_STACK": str(red.state_dir)}
    command = [sys.executable, "-c", LISTENER]
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        result = ports.check_port("api", Project(project, port - 8000), up=False)
        process.communicate("\n")
    assert result.ok is expected
    assert f"(pid {process.pid})" in result.detail
    assert ("of project red" in result.detail) is not expected
    assert ("--port-offset" in result.fix) is not expected


@pytest.mark.parametrize(("extras", "word"), [((), "note"), (("observability",), "failed")])
def test_a_port_of_what_was_not_asked_for_is_a_note(
    listener: socket.socket, extras: tuple[str, ...], word: str
) -> None:
    """Another Prometheus at that port is in the way only of who wants one."""
    offset = listener.getsockname()[1] - LOCAL_PORTS["prometheus"]
    found = ports.check_ports(Project("nobody", offset, extras=extras), up=False)
    [result] = [result for result in found if "prometheus" in result.name]
    assert result.word == word
    assert "held by" in result.detail


def test_a_port_that_browsers_refuse_is_of_no_use() -> None:
    """Browsers open no page at some ports, so an offset that leads there is refused."""
    result = ports.check_port("api", Project("nobody", 10080 - LOCAL_PORTS["api"]), up=False)
    assert not result.ok
    assert "no browser" in result.detail
    assert "--port-offset" in result.fix
    with pytest.raises(PortTaken, match="no browser"):
        local.check_ports({10080: "api-1"}, 2080)


def test_offered_offset_has_free_ports() -> None:
    """The offset that is offered is one at which the stack can start."""
    offset = ports.free_offset(Project("default", 0))
    assert offset >= 100
    assert ports.is_free(8000 + offset)


def test_project_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """LAB_PROJECT and LAB_PORT_OFFSET choose; arguments win."""
    monkeypatch.setenv("LAB_PROJECT", "red")
    monkeypatch.setenv("LAB_PORT_OFFSET", "300")
    assert read_project()[:2] == ("red", 300)
    assert read_project().port("api") == 8300
    assert read_project("blue", 0)[:2] == ("blue", 0)


def test_project_comes_from_the_file_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment does not say is read from .env, the last line first."""
    for name in ("LAB_PROJECT", "LAB_PORT_OFFSET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(words, "ROOT", tmp_path)
    (tmp_path / ".env").write_text("# my class\nLAB_PROJECT=red\nLAB_PORT_OFFSET = '300'\nLAB_PROJECT=blue\n")
    assert read_project() == Project("blue", 300)


@pytest.mark.parametrize("offset", ["many", "-1", "60000"])
def test_bad_offset_is_an_error(monkeypatch: pytest.MonkeyPatch, offset: str) -> None:
    """An offset that is no number, or leads past the last port, is refused."""
    monkeypatch.setenv("LAB_PORT_OFFSET", offset)
    with pytest.raises(LabError, match="port offset"):
        read_project()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"port_offset": 200, "supervisor": {"pid": 41, "created": 9.5}}',
            Project("default", 200, started=True),
        ),
        ('{"port_offset": 200, "runtime": "docker"}', Project("default", 200, started=True, runtime=DOCKER)),
        (
            '{"options": {"extras": {"observability": true, "dashboard": false}}}',
            Project("default", 100, started=True, extras=("observability",)),
        ),
        ('{"options": {"extras": ["observability"]}}', Project("default", 100, started=True)),
        ("[]", Project("default", 100)),
        ("{broken", Project("default", 100)),
    ],
)
def test_record_of_the_runtime_is_read_with_care(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: Project
) -> None:
    """The record of a running stack tells its ports; a broken one tells nothing."""
    monkeypatch.delenv("LAB_PROJECT", raising=False)
    monkeypatch.setenv("LAB_PORT_OFFSET", "100")
    monkeypatch.setattr(words, "ROOT", tmp_path)
    state = tmp_path / ".lab/default/stack.json"
    state.parent.mkdir(parents=True)
    state.write_text(text)
    assert read_project() == expected


def test_stack_that_should_run_is_a_failure() -> None:
    """No stack is a note; a started one that does not answer is a failure."""
    assert stack.not_running(Project("default", 0)).passed
    assert not stack.not_running(Project("default", 0, started=True)).passed


def test_picture_is_a_real_png() -> None:
    """Pillow reads what was made, and its size is found again."""
    data = make_png(64, 48)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert (image.format, image.size, image.mode) == ("PNG", (64, 48), "RGB")
    assert png_size(data) == (64, 48)
    assert png_size(data[:20]) is None
    assert png_size(b"GIF89a" + data) is None


def test_memory_is_a_plausible_size() -> None:
    """This machine has between 256 MB and 64 TB."""
    size = machine.memory_bytes()
    assert size is not None
    assert 2**28 < size < 2**46


@pytest.mark.parametrize(("size", "ok"), [(None, None), (2 * 10**9, False), (3_900_000_000, True)])
def test_memory_check_has_three_answers(
    monkeypatch: pytest.MonkeyPatch, size: int | None, *, ok: bool | None
) -> None:
    """A machine sold with 4 GB passes; an unknown size does not."""
    monkeypatch.setattr(machine, "memory_bytes", lambda: size)
    result = machine.check_memory()
    assert result.ok is ok
    assert bool(result.fix) is not bool(ok)


def test_the_ports_of_the_last_stack_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `down` has noted holds until another offset is chosen; what is no number is nothing."""
    monkeypatch.delenv("LAB_PORT_OFFSET", raising=False)
    monkeypatch.setattr(words, "ROOT", tmp_path)
    project = labkit.project.Project("red", tmp_path, 300)
    project.state_dir.mkdir(parents=True)
    record.keep_offset(project)
    assert record.kept_offset(project) == read_project("red").offset == 300
    assert read_project("red", 0).offset == 0
    (project.state_dir / record.OFFSET).write_text("many")
    assert record.kept_offset(project) is None
    assert read_project("red").offset == 0


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="only Linux tells")
@pytest.mark.parametrize(("least", "word"), [(0.0, "ok"), (10**6, "note")])
def test_memory_in_use(monkeypatch: pytest.MonkeyPatch, least: float, word: str) -> None:
    """Little memory that is left is a note with a command."""
    monkeypatch.setattr(usage, "LEAST_FREE_GB", least)
    found = usage.check_usage(Project("nobody", 0))
    assert (found.word, "0.0 GB by the stack" in found.detail) == (word, True)


def test_ports_are_those_of_the_stack() -> None:
    """The doctor's own list, which must work before anything is installed, equals the table of services."""
    table = pytest.importorskip("labkit.stack")
    local = {port.base for service in table.SERVICES for port in service.ports}
    docker = {port.docker for service in table.DOCKER_SERVICES for port in service.ports}
    assert set(PORTS[LOCAL].values()) == local
    assert set(PORTS[DOCKER].values()) == docker - {0}
    assert {service.name: service.extra for service in table.DOCKER_SERVICES if service.extra} == EXTRAS


def test_mark_is_the_runtimes() -> None:
    """The doctor looks for the variable that the runtime sets."""
    processes = pytest.importorskip("labkit.runtime.local.processes")
    project = Project("red", 0)
    assert processes.marks(project.state_dir, "api-1")[STACK_MARK[:-1].decode()] == str(project.state_dir)
