"""Playing a script of commands: what `lab solve` and `dev check` do instead of a person."""

from __future__ import annotations

import glob
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from labkit.errors import LabError, NotReady
from labkit.labs.content import Move
from labkit.project import REPOSITORY
from labkit.runtime.base import Runtime
from labkit.sampling.management import Management

WAIT_S = 60.0
COMMAND_S = 240.0
_POLL_S = 0.2


class Walk:
    """Plays moves on the stack of `runtime`; `here` stands for `{here}` in their commands.

    told: hears of each command. quiet: their output is not shown. door: the words before each command, if
    they are not those of the project's own labctl.
    """

    def __init__(
        self,
        runtime: Runtime,
        here: Path,
        told: Callable[[str], None] = lambda _: None,
        *,
        quiet: bool = False,
        door: Sequence[str] = (),
    ) -> None:
        self._runtime = runtime
        self._here = here
        self._told = told
        self._output = subprocess.DEVNULL if quiet else None
        self._door = door or _door(runtime)
        self._running: list[subprocess.Popen[bytes]] = []

    def play(self, moves: Sequence[Move]) -> None:
        """Play all moves, and wait for what runs in the background. Raises LabError.

        What a command thinks of its own outcome does not matter here: checks look at what it left.
        """
        try:
            for move in moves:
                self._wait(move)
                self._told(move.command)
                process = self._start(move.command)
                if not move.background:
                    _finish(process)
            for process in self._running:
                _finish(process)
        finally:
            for process in self._running:
                process.kill()
                process.wait()
            self._running.clear()

    def _wait(self, move: Move) -> None:
        time.sleep(move.after_s)
        if not move.when_unacked:
            return
        end = time.monotonic() + WAIT_S
        while self._unacked() < move.when_unacked:
            if time.monotonic() > end:
                raise NotReady("The workers have nothing in their hands.", "See: labctl status")
            time.sleep(_POLL_S)

    def _unacked(self) -> int:
        management = Management.of(self._runtime, self._runtime.environment())
        if management is None:
            return 0
        try:
            return sum(found.unacked or 0 for name, found in management.queues().items() if "jobs" in name)
        finally:
            management.close()

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603  (the kit's own commands)
            [*self._door, *words(command, self._here)],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )
        self._running.append(process)
        return process


def _door(runtime: Runtime) -> tuple[str, ...]:
    project = runtime.project
    own = ("--project", project.name, "--port-offset", str(project.port_offset))
    return (sys.executable, "-m", "labkit.cli", *own)


def words(command: str, here: Path) -> list[str]:
    """Return the words of a command as a shell would give them."""
    found: list[str] = []
    for word in shlex.split(command.replace("{here}", here.as_posix())):
        found += sorted(glob.glob(word)) if "*" in word else [word]  # noqa: PTH207  (an absolute pattern)
    return found


def _finish(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(COMMAND_S)
    except subprocess.TimeoutExpired:
        raise LabError("A command of the script does not end.", "See: labctl status") from None
