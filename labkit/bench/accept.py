"""Uploads of 250 kB in a closed loop, against an endpoint that only streams its body to the store."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from labkit.access import Access, api
from labkit.analysis.statistics import percentile
from labkit.bench.pairs import Comparison, Pair, alternate
from labkit.client import ApiClient
from labkit.errors import LabError
from labkit.load.workloads import mix_images
from labkit.project import REPOSITORY
from labkit.runtime.base import Runtime
from labkit.settings import base_environment
from services.common.topology import WORK_QUEUES

UPLOADS = 200
AT_ONCE = 8
BACKLOG = 500
READY_S = 10.0
WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Backlogged:
    """P95 of the answer in milliseconds with an empty queue and with a long one, workers paused in both."""

    empty_ms: float
    full_ms: float

    @property
    def ratio(self) -> float:
        """Full over empty."""
        return self.full_ms / self.empty_ms


def run(runtime: Runtime, *, pairs: int, told: Callable[[Pair], None]) -> Comparison:
    """Compare uploads a second; the workers are paused meanwhile."""
    image = mix_images()["A.jpg"]
    with _paused(runtime), _store_only(runtime) as bare_url:
        found = alternate(
            lambda: _rate(api(runtime), image), lambda: _rate(ApiClient(bare_url), image), pairs, told
        )
    return Comparison("accept", "uploads/s", "API", "endpoint that only stores", found)


def backlog(runtime: Runtime, access: Access, *, pairs: int) -> list[Backlogged]:
    """Measure the answer with 0 and with 500 jobs queued; the work queues are emptied before and after."""
    image = mix_images()["A.jpg"]
    found = []
    with _paused(runtime):
        for _ in range(pairs):
            asyncio.run(_empty(access))
            short = asyncio.run(_answers(api(runtime), image))
            asyncio.run(_fill(api(runtime)))
            full = asyncio.run(_answers(api(runtime), image))
            found.append(Backlogged(_p95_ms(short), _p95_ms(full)))
        asyncio.run(_empty(access))
    return found


def _rate(client: ApiClient, image: bytes) -> float:
    begun = time.perf_counter()
    asyncio.run(_answers(client, image))
    return UPLOADS / (time.perf_counter() - begun)


async def _answers(client: ApiClient, image: bytes) -> list[float]:
    """Return the seconds that each of the uploads took."""
    numbers = iter(range(UPLOADS))
    seconds: list[float] = []

    async def loop() -> None:
        for _ in numbers:
            begun = time.perf_counter()
            answer = await client.upload(image, "A.jpg", "resize,800x600")
            if answer.status not in (200, 202):
                raise LabError(f"An upload was answered with {answer.status}.", answer.error)
            seconds.append(time.perf_counter() - begun)

    async with client, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(loop())
    return seconds


async def _fill(client: ApiClient) -> None:
    async with client:
        messages = [{"payload": number} for number in range(BACKLOG)]
        await client.send("POST", "/batch-produce", json={"messages": messages})


async def _empty(access: Access) -> None:
    async with access.broker() as broker:
        await broker.ready(READY_S)
        for queue in WORK_QUEUES:
            await broker.purge(queue)


def _p95_ms(seconds: list[float]) -> float:
    return 1000 * percentile(seconds, 0.95)


@contextlib.contextmanager
def _paused(runtime: Runtime) -> Iterator[None]:
    names = [found.name for found in runtime.instances() if found.service == WORKER]
    for name in names:
        runtime.pause(name)
    try:
        yield
    finally:
        for name in names:
            runtime.resume(name)


@contextlib.contextmanager
def _store_only(runtime: Runtime) -> Iterator[str]:
    """Run the endpoint that only stores; yield its address."""
    environment = {**base_environment(), **runtime.environment(), "LAB_PORT": "0", "LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "labkit.bench.store_only"]
    with subprocess.Popen(  # noqa: S603  (our own program)
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            line = program.stdout.readline() if program.stdout else ""
            if not line:
                raise LabError("The endpoint to compare with did not start.", "Its words are above.")
            yield line.strip()
        finally:
            program.terminate()
