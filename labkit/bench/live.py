"""What live listeners cost the API, and how soon they know: from a commit of the tracker to the client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.access import Access
from labkit.analysis.statistics import Spread, spread
from labkit.bench.cpu import cpu_seconds, difference, memory_bytes
from labkit.errors import LabError
from labkit.load.arrivals import constant
from labkit.load.session import Session
from labkit.load.workloads import text
from labkit.passes import LONG_S, Pass
from labkit.project import REPOSITORY
from labkit.runtime.base import Runtime
from labkit.settings import base_environment

WAYS = ("sse", "websocket")
WORK_S = 0.05
STARTS_S = 60.0


@dataclass(frozen=True, slots=True)
class Listening:
    """One arm: memory of all APIs before, with the listeners connected, and at the end of the load.

    changes: how many there were. whole: listeners that were told each of them once, in order.
    delay: from the commit until a listener knew, over all listeners and changes. CPU in percent of one core.
    """

    way: str
    listeners: int
    memory_bytes: tuple[int, int, int]
    changes: int
    whole: int
    delay: Spread
    api_cpu_percent: float
    jobs: int
    unanswered: int

    @property
    def bytes_each(self) -> float:
        """What a listener adds to the memory of the APIs, at the end of the load."""
        return (self.memory_bytes[2] - self.memory_bytes[0]) / self.listeners if self.listeners else 0.0


def run(
    runtime: Runtime,
    access: Access,
    *,
    listeners: int,
    rate: float,
    seconds: float,
    told: Callable[[Listening], None],
) -> list[Listening]:
    """Measure without listeners, and with so many of each kind; the stack must be up."""
    found = []
    for way, count in (("none", 0), *((way, listeners) for way in WAYS)):
        for name in _apis(runtime):
            runtime.restart(name)  # memory that an earlier arm took does not come back
        found.append(_arm(runtime, access, way, count, rate, seconds))
        told(found[-1])
    return found


def _arm(runtime: Runtime, access: Access, way: str, count: int, rate: float, seconds: float) -> Listening:
    urls = [runtime.address(name) for name in _apis(runtime)]
    _load(runtime, access, rate, 2.0)  # what an API needs for any request is no part of what a listener costs
    before = _memory(runtime)
    with _listeners(way, count, urls, access.entry) as finish:
        connected, used, begun = _memory(runtime), cpu_seconds(runtime), time.monotonic()
        jobs, unanswered = _load(runtime, access, rate, seconds)
        spent, took = difference(used, cpu_seconds(runtime))["api"], time.monotonic() - begun
        after = _memory(runtime)
        heard = finish()
    return Listening(
        way=way,
        listeners=count,
        memory_bytes=(before, connected, after),
        changes=heard["changes"],
        whole=heard["whole"],
        delay=spread(heard["delays_s"]),
        api_cpu_percent=100 * spent / took,
        jobs=jobs,
        unanswered=unanswered,
    )


def _apis(runtime: Runtime) -> list[str]:
    return [found.name for found in runtime.instances() if found.service == "api"]


def _memory(runtime: Runtime) -> int:
    used = memory_bytes(runtime)
    return sum(used[name] for name in _apis(runtime))


def _load(runtime: Runtime, access: Access, rate: float, seconds: float) -> tuple[int, int]:
    jobs = max(1, round(rate * seconds))
    session = Session(runtime.address("api"), access.broker, verify_sample=0, entry=access.entry)
    outcome = asyncio.run(session.run(text(jobs, WORK_S), constant(rate, jobs)))
    return jobs, sum(record.status_code is None for record in outcome.records)


@contextlib.contextmanager
def _listeners(
    way: str, count: int, urls: Sequence[str], entry: Pass
) -> Iterator[Callable[[], dict[str, Any]]]:
    """Run listeners in a process of their own; give what ends them and returns what they heard."""
    if not count:
        yield lambda: {"changes": 0, "whole": 0, "delays_s": []}
        return
    with subprocess.Popen(  # noqa: S603  (our own program)
        [sys.executable, "-m", "labkit.bench.listening", way, str(count), *urls],
        cwd=REPOSITORY,
        env=base_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            if program.stdin:
                program.stdin.write(json.dumps(entry.headers(LONG_S)) + "\n")
                program.stdin.flush()
            if not program.stdout or not program.stdout.readline():
                raise LabError("The listeners did not connect.", "Their words are above.")
            yield lambda: dict(json.loads(program.communicate("\n", STARTS_S)[0]))
        finally:
            program.terminate()
