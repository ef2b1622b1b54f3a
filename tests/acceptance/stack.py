"""A whole stack for acceptance tests: load goes through it while something is done to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from labkit.access import Access, access
from labkit.client import Answer, ApiClient
from labkit.ledger import Ledger, balance
from labkit.load.session import Outcome, Progress, Session
from labkit.load.workloads import Expected, Workload, same
from labkit.runtime.local.runtime import LocalRuntime
from test_images import generate_sample

STEP_S = 0.02
RUN_TIMEOUT_S = 110.0


@dataclass(slots=True)
class Live:
    """A run that is under way."""

    latest: Progress = field(default_factory=lambda: Progress(0, 0, 0, 0))

    def until(self, reached: Callable[[Progress], bool], within_s: float = 60) -> None:
        """Wait until the run is so far."""
        eventually(lambda: reached(self.latest), within_s)


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack."""

    runtime: LocalRuntime

    @property
    def access(self) -> Access:
        """The ways into the stack."""
        return access(self.runtime.environment())

    def run(self, workload: Workload, act: Callable[[Live], None] = lambda _: None) -> Ledger:
        """Send a workload at once, let `act` do its worst meanwhile, and return the ledger."""
        return balance(self.send(workload, act).records)

    def send(
        self,
        workload: Workload,
        act: Callable[[Live], None] = lambda _: None,
        offsets_s: Sequence[float] | None = None,
    ) -> Outcome:
        """Send a workload, at once or at the offsets, let `act` work meanwhile, and return its records."""
        live = Live()

        def watch(progress: Progress) -> None:
            live.latest = progress

        session = Session(self.runtime.address("api"), self.access.broker, watch, stall_s=40)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(lambda: asyncio.run(session.run(workload, offsets_s)))
            act(live)
            return running.result(RUN_TIMEOUT_S)

    def ask(self, path: str) -> Answer:
        """Ask the API."""

        async def ask() -> Answer:
            async with ApiClient(self.runtime.address("api")) as client:
                return await client.get(path)

        return asyncio.run(ask())

    def produce(self, job_id: str, processing_time_s: float) -> None:
        """Enqueue a text job with an id of its own."""

        async def send() -> Answer:
            async with ApiClient(self.runtime.address("api")) as client:
                body = {"id": job_id, "payload": {}, "processing_time": processing_time_s}
                return await client.send("POST", "/produce", json=body)

        assert asyncio.run(send()).status == 201

    def status(self, job_id: str) -> dict[str, object]:
        """Return a job's status."""
        return self.ask(f"/status/{job_id}").body


def images(jobs: int, pause_s: float = 0.1) -> Workload:
    """Return small image jobs, each of which keeps a worker for a little longer than `pause_s`."""
    picture = generate_sample.photo(320, 240, seed=1)
    operations = f"sleep,{pause_s:g};resize,160x120"
    return same("small.jpg", picture, jobs, operations, Expected("JPEG", 160, 120))


def eventually(reached: Callable[[], bool], within_s: float) -> None:
    """Wait until a condition holds; fail when it does not within the time."""
    deadline = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < deadline, f"did not come true within {within_s:g} s"
        time.sleep(STEP_S)
