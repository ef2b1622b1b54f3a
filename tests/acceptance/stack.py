"""A whole stack for acceptance tests: load goes through it while something is done to it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from labkit.access import Access, access, api
from labkit.analysis.ledger import Ledger, balance
from labkit.client import Answer, ApiClient
from labkit.load.arrivals import Arrivals
from labkit.load.session import Outcome, Progress, Session
from labkit.load.workloads import Expected, Workload, same
from labkit.runtime.base import Runtime
from services.common.messages import Status
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

    def hold(self, seconds: float) -> None:
        """Let things be as they are for so long: an outage has a length."""
        end = time.monotonic() + seconds
        eventually(lambda: time.monotonic() >= end, seconds + 5)


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack."""

    runtime: Runtime

    @property
    def access(self) -> Access:
        """The ways into the stack."""
        return access(self.runtime.environment())

    def run(
        self, workload: Workload, act: Callable[[Live], None] = lambda _: None, stall_s: float = 40
    ) -> Ledger:
        """Send a workload at once, let `act` do its worst meanwhile, and return the ledger."""
        return balance(self.send(workload, act, stall_s=stall_s).records)

    def send(
        self,
        workload: Workload,
        act: Callable[[Live], None] = lambda _: None,
        arrivals: Arrivals | None = None,
        stall_s: float = 40,
    ) -> Outcome:
        """Send a workload, at once or as `arrivals` say, let `act` work meanwhile, and return its records."""
        live = Live()

        def watch(progress: Progress) -> None:
            live.latest = progress

        ways_in, url = self.access, self.runtime.address("api")
        session = Session(url, ways_in.broker, watch, stall_s, entry=ways_in.entry)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(lambda: asyncio.run(session.run(workload, arrivals)))
            act(live)
            return running.result(RUN_TIMEOUT_S)

    def ask(self, path: str) -> Answer:
        """Ask the API."""

        async def ask() -> Answer:
            async with api(self.runtime) as client:
                return await client.get(path)

        return asyncio.run(ask())

    def produce(self, job_id: str, processing_time_s: float) -> None:
        """Enqueue a text job with an id of its own."""

        async def send() -> Answer:
            async with api(self.runtime) as client:
                body = {"id": job_id, "payload": {}, "processing_time": processing_time_s}
                return await client.send("POST", "/produce", json=body)

        assert asyncio.run(send()).status == 201

    def upload_cut(self) -> str:
        """Upload an image that is cut off, and return its job."""
        cut = images(1).images["small.jpg"][:2000]

        async def send() -> Answer:
            async with api(self.runtime) as client:
                return await client.upload(cut, "cut.jpg", "resize")

        return asyncio.run(send()).job_id

    def counts(self) -> dict[Status, int]:
        """Return how many jobs have each status."""
        with contextlib.closing(self.access.jobs()) as table:
            return table.count_by_status()

    def broker_version(self) -> tuple[int, int]:
        """Return the broker's version: (3, 10) or (4, 3)."""

        async def ask() -> str:
            async with self.access.broker() as broker:
                await broker.ready(10)
                return broker.version

        major, minor, *_ = asyncio.run(ask()).split(".")
        return int(major), int(minor)

    def consumed(self) -> float:
        """Return how many messages the first worker has taken from the text queue since it started."""
        found = self.metric("worker-1", "messages_consumed_total")
        return float(sum(sample["value"] for sample in found if sample["labels"]["queue"] == "text.jobs"))

    def metric(self, instance: str, name: str) -> list[dict[str, Any]]:
        """Return the samples of a metric of an instance."""
        return asyncio.run(_metrics(self.runtime.address(instance))).get(name, [])

    def status(self, job_id: str) -> dict[str, object]:
        """Return a job's status."""
        return self.ask(f"/status/{job_id}").body


async def _metrics(url: str) -> dict[str, list[dict[str, Any]]]:
    async with ApiClient(url) as client:
        return (await client.send("GET", "/metrics", headers={"Accept": "application/json"})).body


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
