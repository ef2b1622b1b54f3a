"""How late the load generator sends, and what it costs: to a bare endpoint, and to the stack.

The bare endpoint answers at once: all lateness is the generator's own. With the stack it shares the cores.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from labkit.access import Access
from labkit.analysis.statistics import Spread, spread
from labkit.errors import LabError
from labkit.load.arrivals import OpenLoop, constant
from labkit.load.generator import generating
from labkit.load.session import LEAD_S, Session
from labkit.load.wire import Plan, Report
from labkit.load.workloads import Workload, mix_images, same, text
from labkit.project import REPOSITORY
from labkit.runtime.base import Runtime
from labkit.settings import base_environment

MESSAGES_PER_S, UPLOADS_PER_S = 500, 50


@dataclass(frozen=True, slots=True)
class LoadBench:
    """One load against one target. lateness: of all sends. CPU in percent of one core while sending.

    measuring_cpu_ms: what collecting took a job, in the other process; None with nothing to collect.
    """

    load: str
    target: str
    jobs: int
    answered: int
    lateness: Spread
    cpu_percent: float
    cpu_ms: float
    measuring_cpu_ms: float | None


def run(
    runtime: Runtime, access: Access, *, seconds: float, told: Callable[[LoadBench], None]
) -> list[LoadBench]:
    """Measure both loads against both targets, for so many seconds each; the stack must be up."""
    messages, uploads = round(MESSAGES_PER_S * seconds), round(UPLOADS_PER_S * seconds)
    loads = (
        (f"{MESSAGES_PER_S} messages/s", text(messages, 0), constant(MESSAGES_PER_S, messages)),
        (
            f"{UPLOADS_PER_S} uploads/s",
            same("A.jpg", _photo(), uploads, "resize,80x60"),
            constant(UPLOADS_PER_S, uploads),
        ),
    )
    found = []
    with answering() as bare_url:
        for name, workload, arrivals in loads:
            found.append(asyncio.run(_bare(name, bare_url, workload, arrivals)))
            told(found[-1])
            found.append(_stack(name, runtime, access, workload, arrivals))
            told(found[-1])
    return found


async def _bare(name: str, url: str, workload: Workload, arrivals: OpenLoop) -> LoadBench:
    reports: list[Report] = []
    keys = [f"bench-{number}" for number in range(len(workload.jobs))]
    async with generating(Plan(url, workload, arrivals, keys)) as generator:
        cpu_s = await generator.run(time.time() + LEAD_S, reports.extend)
    lateness = [report.sent_at - report.intended_at for report in reports if report.sent_at is not None]
    answered = sum(report.status is not None for report in reports)
    return _figures(name, "bare", arrivals, lateness, answered, cpu_s, None)


def _stack(name: str, runtime: Runtime, access: Access, workload: Workload, arrivals: OpenLoop) -> LoadBench:
    session = Session(runtime.address("api"), access.broker, verify_sample=0, entry=access.entry)
    before = time.process_time()
    outcome = asyncio.run(session.run(workload, arrivals))
    own_s = time.process_time() - before
    lateness = [record.late_by_s for record in outcome.records if record.late_by_s is not None]
    answered = sum(record.status_code is not None for record in outcome.records)
    return _figures(name, "stack", arrivals, lateness, answered, outcome.cpu_s, own_s)


def _figures(
    name: str,
    target: str,
    arrivals: OpenLoop,
    lateness: Sequence[float],
    answered: int,
    cpu_s: float,
    own_s: float | None,
) -> LoadBench:
    jobs = len(arrivals.offsets_s)
    return LoadBench(
        load=name,
        target=target,
        jobs=jobs,
        answered=answered,
        lateness=spread(lateness),
        cpu_percent=100 * cpu_s / arrivals.offsets_s[-1],
        cpu_ms=1000 * cpu_s / jobs,
        measuring_cpu_ms=None if own_s is None else 1000 * own_s / jobs,
    )


def _photo() -> bytes:
    return mix_images()["A.jpg"]


@contextlib.contextmanager
def answering() -> Iterator[str]:
    """Run the endpoint that answers at once; give its address."""
    command = [sys.executable, "-m", "labkit.bench.answering"]
    with subprocess.Popen(  # noqa: S603  (our own program)
        command, cwd=REPOSITORY, env=base_environment(), stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            line = program.stdout.readline() if program.stdout else ""
            if not line:
                raise LabError("The endpoint to send to did not start.", "Its words are above.")
            yield line.strip()
        finally:
            program.terminate()
