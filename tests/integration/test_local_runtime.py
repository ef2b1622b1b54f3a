"""What a local stack survives: other programs, its own death, and people in a hurry."""

import os
import pty
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from labkit.errors import Busy, PortTaken, StartFailed, SupervisorError
from labkit.project import REPOSITORY, Project
from labkit.runtime.base import Event, Progress, State
from labkit.runtime.local.ports import free_offset
from labkit.runtime.local.processes import SUPERVISOR, Owned, owned, started_at, wait_gone
from labkit.runtime.local.runtime import LocalRuntime
from labkit.runtime.local.state import Identity, LocalState, read_state, write_state
from labkit.runtime.lock import only_one
from labkit.runtime.private import make_private_dir
from labkit.runtime.record import record_path
from labkit.settings import base_environment
from labkit.stack import Options, Port, Service

PROGRAM = ("-m", "tests.contract.standin")
DESK = Service("desk", "takes orders", command=PROGRAM, ports=(Port("http", 8000),))
TABLE = (DESK, Service("worker", "does jobs", command=PROGRAM, needs=("desk",), scalable=True))

# What `labctl up` does, as a program of its own that tells its steps.
UP = """
import sys
from pathlib import Path
from labkit.project import Project
from tests.integration.test_local_runtime import make
make(Project("survival", Path(sys.argv[1]), int(sys.argv[2]))).up(
    notify=lambda event: print(event.progress, event.instance, flush=True)
)
"""

# Makes the terminal at hand the one whose end ends the program.
IN_A_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"


def make(project: Project) -> LocalRuntime:
    """Make the runtime under test."""
    return LocalRuntime(project, TABLE, environ=base_environment())


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Give a project of its own; whatever a test does to it, `down` ends all its processes."""
    made = Project("survival", tmp_path, free_offset([8000], random.sample(range(1000, 24_000), 200)))
    yield made
    make(made).down(delete_data=True)
    assert owned(made.state_dir) == []


@pytest.fixture
def runtime(project: Project) -> LocalRuntime:
    """Make the project's runtime."""
    return make(project)


def supervisor_of(project: Project) -> psutil.Process:
    """Find the supervisor of a stack that is up."""
    return next(entry.process for entry in owned(project.state_dir) if entry.instance == SUPERVISOR)


def all_run(runtime: LocalRuntime) -> bool:
    """Tell whether exactly the expected instances run."""
    return [(entry.name, entry.state) for entry in runtime.instances()] == [
        ("desk-1", State.RUNNING),
        ("worker-1", State.RUNNING),
    ]


def up_program(project: Project, prelude: str = "") -> list[str]:
    """Give the command line of `up` as a program of its own."""
    return [sys.executable, "-c", prelude + UP, str(project.root), str(project.port_offset)]


def test_a_taken_port_is_explained(project: Project, runtime: LocalRuntime) -> None:
    """A taken port is refused with its holder's name and pid and an offset that works."""
    with socket.create_server(("127.0.0.1", project.port(8000))), pytest.raises(PortTaken) as refused:
        runtime.up()
    assert f"Port {project.port(8000)}, needed by desk-1, is held by" in refused.value.message
    assert f"(pid {os.getpid()})" in refused.value.message
    assert owned(project.state_dir) == []
    offset = re.search(r"labctl up --port-offset (\d+)$", refused.value.next_step)
    assert offset
    other = make(replace(project, port_offset=int(offset[1])))
    other.up()
    assert all_run(other)


def test_a_port_taken_by_another_stack_is_explained(project: Project, runtime: LocalRuntime) -> None:
    """The message names the instance and the project that hold the port."""
    runtime.up()
    with pytest.raises(PortTaken, match="held by desk-1 of the project 'survival'"):
        make(replace(project, name="second")).up()


def test_the_offset_of_a_running_stack_is_in_force(project: Project, runtime: LocalRuntime) -> None:
    """Later commands find the stack at its own ports, whatever offset they were given."""
    runtime.up()
    later = make(replace(project, port_offset=0))
    assert later.address("desk") == f"http://127.0.0.1:{project.port(8000)}"
    later.up()
    assert all_run(later)


def test_the_supervisor_may_die(project: Project, runtime: LocalRuntime) -> None:
    """Without its supervisor the stack runs on and is seen; `up` makes it whole again."""
    runtime.up(Options(prefetch=7))
    end_supervisor(project)
    assert all_run(runtime)
    with pytest.raises(SupervisorError, match="labctl up"):
        runtime.kill("worker-1")
    events: list[Event] = []
    runtime.up(notify=events.append)
    assert events[0].progress == Progress.CLEANING
    assert all_run(runtime)
    assert runtime.environment()["LAB_PREFETCH"] == "7"


def end_supervisor(project: Project) -> None:
    """Kill the supervisor and wait until it is gone."""
    victim = supervisor_of(project)
    victim.kill()
    assert wait_gone([victim], 5)


def owned_supervisors(project: Project) -> list[Owned]:
    """List the supervisors of the project."""
    return [entry for entry in owned(project.state_dir) if entry.instance == SUPERVISOR]


def test_down_needs_no_supervisor(project: Project, runtime: LocalRuntime) -> None:
    """`down` ends the instances of a stack whose supervisor was killed, or hangs."""
    runtime.up()
    end_supervisor(project)
    runtime.down()
    assert owned(project.state_dir) == []
    runtime.up()
    supervisor_of(project).suspend()
    runtime.down()


@pytest.mark.parametrize("harm", ["removed", "damaged"])
def test_the_state_may_be_lost(project: Project, runtime: LocalRuntime, harm: str) -> None:
    """A state file that was deleted or damaged costs nothing but a clean start."""
    runtime.up()
    old = {entry.process.pid for entry in owned(project.state_dir)}
    if harm == "removed":
        shutil.rmtree(project.state_dir)
    else:
        record_path(project).write_text('{"version": 1, "runtime": "local"')
    runtime.up()
    assert all_run(runtime)
    assert not old & {entry.process.pid for entry in owned(project.state_dir)}


def test_a_recycled_pid_is_not_touched(project: Project, runtime: LocalRuntime) -> None:
    """A state file that points at somebody else's process does that process no harm."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        made_up = Identity(stranger.pid, started_at(psutil.Process(stranger.pid)), "/nowhere")
        make_private_dir(project.state_dir)
        write_state(project, LocalState(project.port_offset, supervisor=made_up))
        runtime.up()
        assert all_run(runtime)
        state = read_state(project)
        assert state
        write_state(project, replace(state, supervisor=made_up))
        runtime.down()
        assert stranger.poll() is None
        stranger.communicate(b"\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
@pytest.mark.parametrize("moment", ["", "starting desk-1", "ready desk-1", "starting worker-1"])
def test_up_may_be_cut_off(project: Project, runtime: LocalRuntime, number: int, moment: str) -> None:
    """Whenever `up` is interrupted, the next one completes the stack."""
    with subprocess.Popen(
        up_program(project),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stdout
        if moment:
            assert any(line.strip() == moment for line in running.stdout)
        os.killpg(running.pid, number)
    runtime.up()
    assert all_run(runtime)
    assert len(owned_supervisors(project)) == 1


def test_the_terminal_may_close(project: Project, runtime: LocalRuntime) -> None:
    """A stack outlives the terminal that started it."""
    terminal, inner = pty.openpty()
    with subprocess.Popen(
        up_program(project, prelude=IN_A_TERMINAL),
        cwd=REPOSITORY,
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    ):
        os.close(inner)
        assert "ready worker-1" in read_until(terminal, "ready worker-1")
        os.close(terminal)
    assert all_run(runtime)
    before = runtime.instances()
    runtime.kill("desk-1")
    runtime.wait_ready()
    assert runtime.instances()[1:] == before[1:]


def read_until(terminal: int, text: str) -> str:
    """Read what a program writes to its terminal until `text` has come, or the program has ended."""
    said = ""
    try:
        while text not in said and (data := os.read(terminal, 4096)):
            said += data.decode()
    except OSError:  # the program has ended
        pass
    return said


def test_two_at_once(project: Project, runtime: LocalRuntime) -> None:
    """Two `up` at the same moment make one stack."""
    commands = [
        subprocess.Popen(up_program(project), cwd=REPOSITORY, stdout=subprocess.DEVNULL) for _ in "ab"
    ]
    assert [running.wait() for running in commands] == [0, 0]
    assert all_run(runtime)
    assert len(owned_supervisors(project)) == 1


def test_a_busy_project_says_who_is_at_it(project: Project) -> None:
    """A command that cannot get at the project names the one that holds it."""
    with only_one(project.lock_file, 0), pytest.raises(Busy, match=f"pid {os.getpid()}"):  # noqa: SIM117
        with only_one(project.lock_file, 0):
            pass


def test_a_program_that_cannot_start_is_quoted(project: Project) -> None:
    """`up` gives up early on a program that dies at once, and repeats its last words."""
    broken = replace(DESK, command=(*PROGRAM, "crash"))
    runtime = LocalRuntime(project, (broken,), environ=base_environment())
    began = time.monotonic()
    with pytest.raises(StartFailed, match="cannot start: no configuration") as failed:
        runtime.up()
    assert failed.value.next_step == "Read more: labctl logs desk-1"
    assert time.monotonic() - began < 30
    make(project).up()
    assert all_run(make(project))


def test_passwords_stay_with_their_owner(project: Project, runtime: LocalRuntime) -> None:
    """Credentials and settings are readable by their owner only and are no process's argument."""
    runtime.up(Options(settings={"LAB_TOKEN": "open-sesame"}))
    files = [record_path(project), project.state_dir / "credentials.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(project.state_dir.stat().st_mode) == 0o700
    state = read_state(project)
    assert state
    assert state.supervisor
    assert stat.S_IMODE(Path(state.supervisor.endpoint).stat().st_mode) == 0o700
    for entry in owned(project.state_dir):
        assert "open-sesame" not in " ".join(entry.process.cmdline())
    written = "".join(path.read_text() for path in project.log_dir.iterdir())
    assert "open-sesame" not in written


def test_deleted_data_is_gone(project: Project, runtime: LocalRuntime) -> None:
    """`down` keeps the data, `down --delete-data` removes all that the project had."""
    runtime.up()
    (project.data_dir / "precious").touch()
    runtime.down()
    assert (project.data_dir / "precious").exists()
    runtime.down(delete_data=True)
    assert not project.state_dir.exists()


def test_the_supervisor_may_be_asked_to_end(project: Project, runtime: LocalRuntime) -> None:
    """SIGTERM to the supervisor, as at the end of a login, ends the stack politely."""
    runtime.up()
    everything = [entry.process for entry in owned(project.state_dir)]
    supervisor_of(project).terminate()
    assert wait_gone(everything, 10)
    assert {line.text for line in runtime.logs("worker", lines=1)} == {"stopped"}
