"""The supervisor seen from a command: start it, give it instances, take them away, end it."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from labkit.errors import SupervisorError
from labkit.project import REPOSITORY
from labkit.runtime.local.hooks import DELAY
from labkit.runtime.local.processes import SUPERVISOR, is_alive, marks, stack_of, started_at, wait_gone
from labkit.runtime.local.state import Identity

# The instance opens its log itself: no pipe leads through the supervisor, so its death breaks nothing.
_LAUNCH = f'exec >>"$0" 2>&1 </dev/null; [ "${DELAY}" = 0 ] || sleep "${DELAY}"; exec "$@"'

# Detached from the terminal and from this process: nothing to reap, nothing that a closing window ends.
_DETACH = '"$@" >>"$0" 2>&1 </dev/null & echo $!'

_ANEW = "Start the stack anew: labctl down and labctl up"

_ENDPOINT = "LAB_ENDPOINT"

_ANSWER_S = 15.0
_PATIENCE_S = 1.0
_QUIT_S = 5.0
_POLL_S = 0.05
_CLOCK_S = 2.0  # start times are computed from the boot time, which moves when the clock is set
_SOCKET_PATH_BYTES = 80  # of the 107 (104 on macOS) that a socket's path may have


def new_endpoint() -> str:
    """Create the short folder, mode 0700, for the control socket: over TCP it would obey any local user."""
    folder = tempfile.gettempdir()
    if len(folder) > _SOCKET_PATH_BYTES:
        folder = "/tmp"  # noqa: S108 - mkdtemp makes a private folder inside it
    return tempfile.mkdtemp(prefix="lab-", dir=folder)


def control(endpoint: str) -> str:
    """Give the address of the control socket in its folder."""
    return f"ipc://{endpoint}/control"


def launch(endpoint: str, state_dir: Path, log_dir: Path, environ: Mapping[str, str]) -> Identity:
    """Start the supervisor as a daemon and wait until it answers. Raises SupervisorError."""
    argv = [sys.executable, "-m", f"{__package__}.daemon", endpoint, str(log_dir)]
    log = str(log_dir / f"{SUPERVISOR}.log")
    answer = subprocess.run(  # noqa: S603 - our own program
        ["/bin/sh", "-c", _DETACH, log, *argv],
        cwd=REPOSITORY,
        env={**environ, **marks(state_dir, SUPERVISOR), _ENDPOINT: endpoint},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        check=True,
        text=True,
    )
    process = psutil.Process(int(answer.stdout))
    identity = Identity(process.pid, started_at(process), endpoint)
    _wait_for_answer(process, Supervisor(identity), log)
    return identity


def _wait_for_answer(process: psutil.Process, supervisor: "Supervisor", log: str) -> None:
    deadline = time.monotonic() + _ANSWER_S
    while not supervisor.answers():
        if not is_alive(process) or time.monotonic() > deadline:
            raise SupervisorError("The supervisor could not start.", f"Its log tells why: {log}")


def is_supervisor(identity: Identity, state_dir: Path) -> bool:
    """Tell whether the supervisor in the state file still lives; a recycled pid is somebody else."""
    try:
        process = psutil.Process(identity.pid)
    except psutil.Error:
        return False
    mine = stack_of(process) == (str(state_dir), SUPERVISOR)
    return mine and is_alive(process) and abs(started_at(process) - identity.created) < _CLOCK_S


class Supervisor:
    """A running supervisor."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def answers(self) -> bool:
        """Tell whether it answers within a second."""
        try:
            return bool(self._ask("status", {}, _PATIENCE_S))
        except SupervisorError:
            return False

    def names(self) -> list[str]:
        """List the instances that it keeps alive."""
        return [name for name, status in self._statuses().items() if status != "stopped"]

    def add(self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Start an instance, and again whenever it dies; its output is appended to the log."""
        self.release(name)
        options = {
            "env": {**env, DELAY: "0"},
            "working_dir": str(REPOSITORY),
            "hooks": {
                hook: [f"{__package__}.hooks.{hook}", False] for hook in ("before_spawn", "after_spawn")
            },
            "graceful_timeout": _ANSWER_S,
        }
        args = ["-c", _LAUNCH, str(log), *argv]
        self._call("add", name=name, cmd="/bin/sh", args=args, options=options, start=True)

    def release(self, name: str) -> None:
        """Leave an instance alone: it runs on, but is not started again."""
        if name in self._statuses():
            self._call("rm", name=name, nostop=True)

    def quit(self) -> None:
        """End the supervisor, killed if it does not answer, and remove its socket."""
        try:
            process = psutil.Process(self._identity.pid)
            self._call("quit")
            wait_gone([process], _QUIT_S)
        except (psutil.Error, SupervisorError):
            return  # whoever calls this ends all marked processes next

    def _statuses(self) -> dict[str, str]:
        return dict(self._call("status")["statuses"])

    def _call(self, order: str, **properties: object) -> dict[str, Any]:
        """Send a command; while another one runs Circus refuses, so try again."""
        deadline = time.monotonic() + _ANSWER_S
        while True:
            answer = self._ask(order, {"waiting": True, **properties})
            if answer["status"] == "ok":
                return answer
            if "already running" not in answer["reason"] or time.monotonic() > deadline:
                raise SupervisorError(
                    f"The supervisor refused {order!r}: {answer['reason']}.",
                    _ANEW,
                )
            time.sleep(_POLL_S)

    def _ask(self, order: str, properties: dict[str, object], within_s: float = _ANSWER_S) -> dict[str, Any]:
        """Send one command and wait for its answer, as https://circus.readthedocs.io describes.

        Circus brings a client, but importing it configures the logging of the whole process.
        """
        import zmq  # noqa: PLC0415 - absent on Windows, where this module must import

        # The one context of the process: ending one of our own would wait for ever after a Ctrl-C in here.
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        with context.socket(zmq.DEALER) as connection:
            connection.linger = 0
            connection.connect(control(self._identity.endpoint))
            message = {"id": uuid.uuid4().hex, "command": order, "properties": properties}
            connection.send(json.dumps(message).encode())
            if not connection.poll(int(within_s * 1000)):
                raise SupervisorError("The supervisor does not answer.", _ANEW)
            answer: dict[str, Any] = json.loads(connection.recv())
            return answer


def endpoint_of(process: psutil.Process) -> str:
    """Ask a supervisor's process for its socket folder, for when the state file is lost; "" when unknown."""
    try:
        return process.environ().get(_ENDPOINT, "")
    except (psutil.Error, OSError):
        return ""


def remove_endpoint(endpoint: str) -> None:
    """Remove the folder of the control socket."""
    if endpoint:
        shutil.rmtree(endpoint, ignore_errors=True)
