"""Thousands of jobs in a row, to see whether a service grows and whether a job gets dearer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from labkit.access import Access
from labkit.analysis.ledger import balance
from labkit.bench.cpu import cpu_seconds, difference, memory_bytes
from labkit.load.session import Session
from labkit.load.workloads import Expected, same
from labkit.runtime.base import Runtime
from test_images import generate_sample

JOBS = 5000
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Leg:
    """After so many jobs: memory of each instance in bytes, CPU seconds a job of each service in this leg."""

    jobs: int
    memory_bytes: dict[str, int]
    cpu_s_per_job: dict[str, float]
    lost: int


def run(
    runtime: Runtime, access: Access, *, jobs: int, told: Callable[[Leg], None] = lambda _: None
) -> list[Leg]:
    """Send small images, a thousand at a time; return a leg for the start and for each thousand."""
    workload = same(
        "small.jpg", generate_sample.photo(320, 240), BATCH, "resize,160x120", Expected("JPEG", 160, 120)
    )
    session = Session(runtime.address("api"), access.broker, verify_sample=0, entry=access.entry)
    legs = [Leg(0, memory_bytes(runtime), {}, 0)]
    while legs[-1].jobs < jobs:
        before = cpu_seconds(runtime)
        ledger = balance(asyncio.run(session.run(workload)).records)
        used = difference(before, cpu_seconds(runtime))
        per_job = {service: seconds / BATCH for service, seconds in used.items()}
        legs.append(Leg(legs[-1].jobs + BATCH, memory_bytes(runtime), per_job, ledger.lost))
        told(legs[-1])
    return legs
