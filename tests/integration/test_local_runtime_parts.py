"""Parts of the local runtime on real files: logs, the state file, credentials, and the crash brake."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit.errors import ProjectError
from labkit.project import REPOSITORY, Project
from labkit.runtime.base import LogLine
from labkit.runtime.credentials import Credentials
from labkit.runtime.local import hooks
from labkit.runtime.local.logs import Follower, bound, last_lines
from labkit.runtime.local.processes import STACK_MARK
from labkit.runtime.local.state import (
    Entry,
    Identity,
    LocalState,
    read_state,
    spawn_log,
    spawns,
    write_state,
)
from labkit.runtime.private import make_private_dir, own_files, write_private
from labkit.runtime.record import Record, in_force, read_record, record_path
from labkit.stack import Options
from services.common.signatures import check_secret

STATE = LocalState(
    port_offset=300,
    options=Options(
        counts={"worker": 3}, layout="single", settings={"LAB_A": "1"}, extras={"dashboard": True}
    ),
    supervisor=Identity(77, 1.5, "/nowhere"),
    instances={"worker-1": Entry("worker", "abc"), "worker-2": Entry("worker", "abc", held=True)},
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Make a project with an empty state folder."""
    made = Project("parts", tmp_path)
    make_private_dir(made.state_dir)
    return made


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, ["99999"]), (3, ["99997", "99998", "99999"])])
def test_the_last_lines_of_a_long_log(tmp_path: Path, count: int, expected: list[str]) -> None:
    """Only the end of a log is read, however long it is."""
    path = tmp_path / "a.log"
    path.write_text("".join(f"{number}\n" for number in range(100_000)))
    assert last_lines(path, count) == (expected, path.stat().st_size)


def test_more_lines_than_there_are(tmp_path: Path) -> None:
    """Asking for more lines gives all; a log that does not exist yet has none."""
    path = tmp_path / "a.log"
    path.write_text("one\ntwo")
    assert last_lines(path, 10) == (["one", "two"], 7)
    assert last_lines(tmp_path / "none.log", 10) == ([], 0)


def steps(*texts: str, path: Path, cut: int = -1) -> Iterator[bool]:
    """Write the texts one by one, each before the next look; cut the log before the one numbered `cut`."""
    for number, text in enumerate(texts):
        if number == cut:
            os.truncate(path, 0)
        with path.open("a") as file:
            file.write(text)
        yield True
    yield False


def test_following_waits_for_whole_lines(tmp_path: Path) -> None:
    """A line that is still being written is given when its end comes."""
    path = tmp_path / "a.log"
    looks = steps("first\nsec", "ond\n", path=path)
    found = Follower({}).lines(lambda: {"a-1": path}, lambda: next(looks))
    assert list(found) == [LogLine("a-1", "first"), LogLine("a-1", "second")]


def test_following_survives_a_log_that_is_cut(tmp_path: Path) -> None:
    """When a log is cut because it grew too big, following goes on with what comes then."""
    path = tmp_path / "a.log"
    looks = steps("a long first line\n", "new\n", path=path, cut=1)
    found = Follower({}).lines(lambda: {"a-1": path}, lambda: next(looks))
    assert [line.text for line in islice(found, 2)] == ["a long first line", "new"]


def test_logs_are_bounded_under_a_writer(tmp_path: Path) -> None:
    """A log that is too big moves aside while its writer goes on; a small one stays."""
    big, small = tmp_path / "big.log", tmp_path / "small.log"
    small.write_text("x")
    with big.open("a") as writer:
        writer.write("x" * 2000)
        writer.flush()
        bound(tmp_path, max_bytes=1000)
        writer.write("after\n")
    assert (big.read_text(), small.read_text()) == ("after\n", "x")
    assert (tmp_path / "big.log.1").stat().st_size == 2000


def test_the_state_survives_its_file(project: Project) -> None:
    """What is written is read again, and only its owner can read it."""
    write_state(project, STATE)
    assert read_state(project) == STATE
    assert stat.S_IMODE(record_path(project).stat().st_mode) == 0o600
    assert read_record(project) == Record("local", 300)
    assert in_force(project).port_offset == 300


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"version": 0}', STATE.encode().replace("local", "docker"), '{"version": 1}'],
)
def test_a_state_that_makes_no_sense_is_none(project: Project, text: str) -> None:
    """A damaged state, or that of another runtime, counts as no state at all."""
    record_path(project).write_text(text)
    assert read_state(project) is None


def test_no_state_leaves_the_offset_alone(project: Project) -> None:
    """Without a running stack the given offset is in force."""
    assert read_record(project) is None
    assert in_force(project) == project


def test_credentials_are_drawn_once(project: Project) -> None:
    """The first use draws credentials, later ones read them; each project has its own."""
    path = project.state_dir / "credentials.json"
    first = Credentials.keep(path)
    assert Credentials.keep(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first != Credentials.generate()
    assert all(secret not in repr(first) for name, secret in asdict(first).items() if len(secret) > 10)


def test_credentials_of_an_earlier_version_are_completed(project: Project) -> None:
    """What a file lacks is drawn and kept; what it has stays as it is."""
    path = project.state_dir / "credentials.json"
    write_private(path, json.dumps({"amqp_password": "old", "erlang_cookie": "cookie", "other": 1}))
    whole = Credentials.keep(path)
    assert (whole.amqp_password, whole.erlang_cookie) == ("old", "cookie")
    check_secret(whole.webhook_secret)
    assert Credentials.keep(path) == whole
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    """Writing replaces the file, read-only ones too, and leaves nothing else behind."""
    path = tmp_path / "cookie"
    write_private(path, "one", mode=0o400)
    write_private(path, "two", mode=0o400)
    assert path.read_text() == "two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["cookie"]


def test_files_of_another_user_are_explained(tmp_path: Path) -> None:
    """A refused access says whose fault it is and what to do."""
    with pytest.raises(ProjectError, match="belongs to another user"), own_files(tmp_path):
        raise PermissionError(13, "refused", str(tmp_path / "stack.json"))


def test_crash_loops_are_slowed_down(project: Project) -> None:
    """The first quick deaths cost nothing; a program that dies again and again has to wait."""
    watcher = SimpleNamespace(name="loop-1", env={STACK_MARK: str(project.state_dir)})
    spawn_log(project.state_dir, "loop-1").parent.mkdir()
    delays = []
    for _ in range(8):
        assert hooks.before_spawn(watcher)
        assert hooks.after_spawn(watcher, pid=1)
        delays.append(watcher.env[hooks.DELAY])
    assert delays == ["0"] * 6 + ["2"] * 2
    assert spawns(project.state_dir, "loop-1") == 8


# Windows has none of these packages and no such platform name.
WINDOWS = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {"circus", "fcntl", "pty", "termios", "tornado", "uvloop", "zmq"}:
            raise ImportError(name)

sys.meta_path.insert(0, Absent())
from labkit.errors import Unsupported
from labkit.runtime import open_runtime
from labkit.settings import LabSettings
sys.platform = "win32"
runtime = open_runtime(LabSettings(project="parts-none", runtime="local"))
assert runtime.instances() == []
try:
    runtime.up()
except Unsupported as error:
    print(error)
"""


def test_on_windows_the_local_runtime_explains_itself() -> None:
    """Where its packages do not exist the runtime can be imported, and says what to use instead."""
    said = subprocess.run(
        [sys.executable, "-c", WINDOWS], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "does not run on Windows" in said.stdout
    assert "WSL2" in said.stdout
    assert "Docker" in said.stdout
