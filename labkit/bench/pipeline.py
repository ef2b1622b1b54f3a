"""`mix` through HTTP, store, broker and workers, against the same functions in bare processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from labkit.access import Access
from labkit.analysis.ledger import balance
from labkit.analysis.summary import summarize
from labkit.bench.cpu import cpu_seconds, difference
from labkit.bench.pairs import Comparison, Pair, alternate
from labkit.errors import LabError
from labkit.load.session import Session
from labkit.load.workloads import Workload, mix
from labkit.runtime.base import Runtime
from services.worker.processors import parse_operations, process

JOBS = 200


@dataclass(frozen=True, slots=True)
class PipelineBench:
    """The comparison, and the CPU seconds a job that each service used in our arm."""

    comparison: Comparison
    cpu_s_per_job: dict[str, float]
    bare_cpu_s_per_job: float


def run(
    runtime: Runtime, access: Access, *, workers: int, pairs: int, jobs: int, told: Callable[[Pair], None]
) -> PipelineBench:
    """Compare jobs a second; the stack must be up with `workers` workers."""
    workload = mix(jobs)
    session = Session(runtime.address("api"), access.broker, verify_sample=0, entry=access.entry)
    before = cpu_seconds(runtime)
    runs = 0

    def ours() -> float:
        nonlocal runs
        runs += 1
        outcome = asyncio.run(session.run(workload))
        if balance(outcome.records).completed != jobs:
            raise LabError(
                "Not every job completed, so there is no figure.", "See: labctl jobs --status failed"
            )
        return summarize(outcome.records).throughput_per_s

    with ProcessPoolExecutor(workers, initializer=_load, initargs=(workload,)) as pool:
        list(pool.map(_bare, range(workers)))  # every process has its libraries before the clock runs
        spent: list[float] = []

        def bare() -> float:
            begun = time.perf_counter()
            spent.extend(pool.map(_bare, range(jobs)))
            return jobs / (time.perf_counter() - begun)

        found = alternate(ours, bare, pairs, told)
    used = difference(before, cpu_seconds(runtime))
    comparison = Comparison("pipeline", "jobs/s", "pipeline", f"bare Pillow, {workers} processes", found)
    per_job = {service: seconds / (runs * jobs) for service, seconds in used.items()}
    return PipelineBench(comparison, per_job, sum(spent) / len(spent))


_workload: Workload


def _load(workload: Workload) -> None:
    global _workload  # noqa: PLW0603  (a pool's processes are given their data once, not with each job)
    _workload = workload


def _bare(number: int) -> float:
    job = _workload.jobs[number]
    begun = time.process_time()
    process(_workload.images[job.image], parse_operations(job.operations))
    return time.process_time() - begun
