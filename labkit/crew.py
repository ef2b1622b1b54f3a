"""Processes that run side by side and end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from labkit.project import REPOSITORY

POSIX = sys.platform != "win32"


class Done(NamedTuple):
    """How a process ended: exit status, seconds, and what it printed if that was kept."""

    status: int
    seconds: float
    output: str


class Crew:
    """The processes that run now.

    keeps: keep what they print instead of showing it at once. Then, and where nobody types, each leads a
    process group of its own: so it gets Ctrl-C from here, once. A second one would cut its cleaning short.
    """

    def __init__(self, *, keeps: bool) -> None:
        self.stopped = False
        self._keeps = keeps
        self._apart = POSIX and (keeps or not sys.stdin or not sys.stdin.isatty())
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()

    def run(self, command: Sequence[str]) -> Done:
        """Run a command in the repository to its end; status 1 if it is too late to begin."""
        started = time.monotonic()
        with tempfile.TemporaryFile() as output:
            process = self._start(command, output.fileno() if self._keeps else None)
            if process is None:
                return Done(1, 0.0, "")
            status = process.wait()
            with self._lock:
                self._running.discard(process)
            output.seek(0)
            return Done(status, time.monotonic() - started, output.read().decode(errors="replace"))

    def interrupt(self, *, from_terminal: bool) -> None:
        """Start nothing more, and give each process the Ctrl-C that the terminal has not given it."""
        with self._lock:
            self.stopped = True
            if self._apart or not from_terminal:
                self._send(signal.SIGINT)

    def kill(self) -> None:
        """End what still runs."""
        with self._lock:
            self.stopped = True
            self._send(signal.SIGKILL if POSIX else signal.SIGTERM)

    def _start(self, command: Sequence[str], output: int | None) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self.stopped:
                return None
            process = subprocess.Popen(  # noqa: S603 - our own tools
                command,
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL if self._keeps else None,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                process_group=0 if self._apart else None,
            )
            self._running.add(process)
            return process

    def _send(self, number: signal.Signals) -> None:
        for process in self._running:
            with suppress(ProcessLookupError):
                if self._apart:
                    os.killpg(process.pid, number)
                else:
                    process.send_signal(number)
