"""Text jobs without work, published over AMQP, one worker, all events and rows, against the bare pipeline."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator

from labkit.access import Access
from labkit.bench import bare
from labkit.bench.pairs import Comparison, Pair, alternate
from labkit.project import REPOSITORY
from labkit.runtime.base import Runtime
from labkit.settings import base_environment
from services.common.envelopes import job_envelope
from services.common.jobs import JobStore
from services.common.messages import Job
from services.common.topology import queue_for

JOBS = 3000
TIMEOUT_S = 120.0
POLL_S = 0.05
ANNOUNCED = "select count(*) from jobs where status = 'completed' and notified_at is not null"
READY_S = 20.0


def run(
    runtime: Runtime, access: Access, *, pairs: int, jobs: int, told: Callable[[Pair], None]
) -> Comparison:
    """Compare jobs a second; the stack must be up with one worker of wide prefetch and concurrency."""
    url = runtime.environment()["LAB_AMQP_URL"]
    with contextlib.closing(access.jobs()) as table, _bare_programs(url):
        found = alternate(
            lambda: asyncio.run(_ours(access, table, jobs)),
            lambda: asyncio.run(_bare(url, jobs)),
            pairs,
            told,
        )
    asyncio.run(bare.delete(url))
    return Comparison("messages", "jobs/s", "pipeline with events and rows", "bare pika", found)


async def _ours(access: Access, table: JobStore, jobs: int) -> float:
    """Return jobs a second, from the first publish until every row says completed and announced."""
    async with access.broker() as broker, asyncio.timeout(TIMEOUT_S):
        await broker.ready(READY_S)
        due = _announced(table) + jobs
        window = asyncio.Semaphore(bare.WINDOW)
        begun = time.perf_counter()

        async def publish() -> None:
            async with window:
                now = time.time()
                job = Job(job_id=uuid.uuid4().hex, kind="text", clock={"accepted": now, "published": now})
                await broker.publish(job_envelope(job, queue_for("text", "", "single")))

        await asyncio.gather(*(publish() for _ in range(jobs)))
        while _announced(table) < due:  # noqa: ASYNC110  (tables tell nobody)
            await asyncio.sleep(POLL_S)
        return jobs / (time.perf_counter() - begun)


def _announced(table: JobStore) -> int:
    _, [[count]] = table.query(ANNOUNCED)
    return int(count)


async def _bare(url: str, jobs: int) -> float:
    begun = time.perf_counter()
    async with asyncio.timeout(TIMEOUT_S):
        await bare.drive(url, jobs)
    return jobs / (time.perf_counter() - begun)


@contextlib.contextmanager
def _bare_programs(url: str) -> Iterator[None]:
    environment = {**base_environment(), "LAB_AMQP_URL": url}
    command = [sys.executable, "-m", "labkit.bench.bare"]
    programs = [
        subprocess.Popen([*command, part], cwd=REPOSITORY, env=environment)  # noqa: S603  (our own program)
        for part in ("worker", "notifier")
    ]
    try:
        yield
    finally:
        for program in programs:
            program.terminate()
        for program in programs:
            program.wait()
