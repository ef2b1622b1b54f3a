"""What the monitor itself costs: its CPU time on a terminal of 80x24, at rest and during a load."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from labkit.access import Access
from labkit.load.arrivals import constant
from labkit.load.session import Session
from labkit.load.workloads import text
from labkit.project import REPOSITORY
from labkit.runtime.base import Runtime
from labkit.settings import base_environment

RATE_PER_S = 20.0
WORK_S = 0.1
STARTS_S = 60.0
BEGINS_S = 5.0


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of the monitor's process in percent of one core, over `seconds`, and its resident memory."""

    arm: str
    seconds: float
    cpu_percent: float
    memory_bytes: int


def run(runtime: Runtime, access: Access, *, seconds: float, told: Callable[[Cost], None]) -> list[Cost]:
    """Measure both arms, `seconds` each; the stack must be up with three workers."""
    with _monitor(runtime) as process:
        costs = [_measure("at rest", process, seconds)]
        told(costs[-1])
        sending = threading.Thread(target=_load, args=(runtime, access, seconds))
        sending.start()
        costs.append(_measure(f"{RATE_PER_S:g} jobs/s", process, seconds))
        told(costs[-1])
        sending.join()
    return costs


def _measure(arm: str, process: psutil.Process, seconds: float) -> Cost:
    begun, before = time.monotonic(), process.cpu_times()
    time.sleep(seconds)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return Cost(arm, seconds, 100 * used / (time.monotonic() - begun), process.memory_info().rss)


def _load(runtime: Runtime, access: Access, seconds: float) -> None:
    jobs = int(RATE_PER_S * seconds)
    session = Session(runtime.address("api"), access.broker, entry=access.entry)
    asyncio.run(session.run(text(jobs, WORK_S), constant(RATE_PER_S, jobs)))


@contextlib.contextmanager
def _monitor(runtime: Runtime) -> Iterator[psutil.Process]:
    """Run the monitor on a terminal of its own, whose output nobody sees."""
    import pty  # noqa: PLC0415 - absent on Windows
    import termios  # noqa: PLC0415 - same

    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    command = [sys.executable, "-m", "labkit.cli", "--project", runtime.project.name, "monitor"]
    environment = {**base_environment(), "TERM": "xterm-256color"}
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=slave, stdout=slave, stderr=slave, cwd=REPOSITORY, env=environment
    ) as program:
        os.close(slave)
        drawn = threading.Event()
        threading.Thread(target=_swallow, args=(master, drawn), daemon=True).start()
        try:
            # Its start, with all that it imports, is no part of what it costs to watch.
            drawn.wait(STARTS_S)
            time.sleep(BEGINS_S)
            yield psutil.Process(program.pid)
        finally:
            program.terminate()
            program.wait()
            os.close(master)


def _swallow(terminal: int, drawn: threading.Event) -> None:
    with contextlib.suppress(OSError):  # the terminal is closed at the end
        while os.read(terminal, 65_536):
            drawn.set()
