"""One load run from its first job to its ledger: send, collect, settle, verify."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from labkit.access import client_of
from labkit.errors import ApiUnreachable
from labkit.load.arrivals import Arrivals, ClosedLoop, OpenLoop, at_once
from labkit.load.collector import Collector
from labkit.load.generator import Generator, generating, settle
from labkit.load.records import Record
from labkit.load.verify import verify
from labkit.load.wire import Plan, Report
from labkit.load.workloads import Workload
from labkit.passes import NOBODY, Pass
from services.common.broker import Broker

if TYPE_CHECKING:
    from labkit.client import ApiClient

BROKER_TIMEOUT_S = 20.0
STALL_S = 60.0
POLL_S = 0.2
LEAD_S = 0.1
"""From the word to the sending process until the first job is due."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: numbers of jobs, and the seconds since the first one was due."""

    jobs: int
    answered: int
    accepted: int
    ended: int
    late: int = 0
    dropped: int = 0
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run. `cpu_s`: what sending took of the processor."""

    run_id: str
    started_at: float
    records: tuple[Record, ...]
    cpu_s: float = 0.0


@dataclass(slots=True)
class Session:
    """Runs workloads against a stack.

    `api_url` says where it is, `open_broker` gives a connection to its broker; `watch` is told of progress
    a few times a second;
    `stall_s` is how long nothing may happen before the rest is settled through the API; `verify_sample` is
    how many results are downloaded and looked at (None: all); `begun` is called when the first job is due;
    `entry` lets into the API.
    """

    api_url: str
    open_broker: Callable[[], Broker]
    watch: Callable[[Progress], None] = lambda _: None
    stall_s: float = STALL_S
    verify_sample: int | None = None
    begun: Callable[[], None] = lambda: None
    entry: Pass = NOBODY
    _started_at: float = 0.0
    _late_after_s: float = 0.0
    _records: list[Record] = field(default_factory=list)
    _collector: Collector = field(default_factory=Collector)
    _progress: Progress = field(default_factory=lambda: Progress(0, 0, 0, 0))

    async def run(self, workload: Workload, arrivals: Arrivals | None = None) -> Outcome:
        """Send the workload and see it through; without arrivals, all jobs are sent at once."""
        arrivals = arrivals or at_once(len(workload.jobs))
        run_id = uuid.uuid4().hex[:12]
        self._plan(workload, arrivals, run_id)
        keys = [record.key for record in self._records]
        plan = Plan(self.api_url, workload, arrivals, keys, entry=self.entry)
        if isinstance(arrivals, OpenLoop) and arrivals.max_in_flight is not None:
            plan = replace(plan, max_in_flight=arrivals.max_in_flight)
        async with self.open_broker() as broker, client_of(self.api_url, self.entry) as client:
            await broker.ready(BROKER_TIMEOUT_S)
            async with self._collector.collecting(broker, run_id), generating(plan) as generator:
                watching = asyncio.create_task(self._report_forever())
                try:
                    cpu_s = await self._send(generator)
                    await settle(client, workload, self._records)
                    self._expect_accepted()
                    await self._wait()
                    await self._settle(client)
                finally:
                    watching.cancel()
            await verify(client, self._records, self.verify_sample)
        self.watch(self._progress_now())
        return Outcome(run_id, self._started_at, tuple(self._records), cpu_s)

    def records(self) -> tuple[Record, ...]:
        """Return all jobs with what is known of them by now; any thread may ask."""
        for record in self._records:
            if record.job_id:
                record.story = self._collector.story(record.job_id)
                _conclude(record)
        return tuple(self._records)

    def _plan(self, workload: Workload, arrivals: Arrivals, run_id: str) -> None:
        offsets = None if isinstance(arrivals, ClosedLoop) else arrivals.offsets_s
        times = offsets or (0.0,) * len(workload.jobs)
        self._collector = Collector()
        self._late_after_s = arrivals.late_after_s
        self._progress = Progress(len(workload.jobs), 0, 0, 0)
        self._records = [
            Record(planned, offset, key=f"{run_id}-{planned.sequence}")
            for planned, offset in zip(workload.jobs, times, strict=True)
        ]

    async def _send(self, generator: Generator) -> float:
        self._started_at = time.time() + LEAD_S
        for record in self._records:
            record.intended_at += self._started_at
        self.begun()
        try:
            return await generator.run(self._started_at, self._take)
        except asyncio.CancelledError:
            await generator.stop(self._take)
            raise

    def _take(self, reports: Sequence[Report]) -> None:
        """Write what became of sends into the records."""
        now = self._progress
        answered, accepted, late, dropped = now.answered, now.accepted, now.late, now.dropped
        for report in reports:
            record = self._records[report.number]
            record.take(report)
            answered += record.answered_at is not None
            dropped += record.dropped
            late += (record.late_by_s or 0.0) > self._late_after_s
            if record.accepted:
                accepted += 1
                self._collector.expect(record.job_id)
        self._progress = Progress(now.jobs, answered, accepted, 0, late, dropped)
        self._collector.progress.set()

    def _expect_accepted(self) -> None:
        """Count those too that were accepted when they were sent again."""
        accepted = [record.job_id for record in self._records if record.accepted]
        for job_id in accepted:
            self._collector.expect(job_id)
        self._progress = replace(self._progress, accepted=len(accepted))

    async def _report_forever(self) -> None:
        while True:
            self.watch(self._progress_now())
            await asyncio.sleep(POLL_S)

    def _progress_now(self) -> Progress:
        elapsed = max(0.0, time.time() - self._started_at) if self._started_at else 0.0
        return replace(self._progress, ended=self._collector.ended, elapsed_s=elapsed)

    async def _wait(self) -> None:
        """Wait until all accepted jobs ended, or nothing has happened to them for a while."""
        seen, quiet_since = -1, time.monotonic()
        while self._collector.open:
            # Events of other runs pass by, too; they do not count.
            if self._collector.seen > seen:
                seen, quiet_since = self._collector.seen, time.monotonic()
            self._collector.progress.clear()
            try:
                async with asyncio.timeout(quiet_since + self.stall_s - time.monotonic()):
                    await self._collector.progress.wait()
            except TimeoutError:
                return

    async def _settle(self, client: ApiClient) -> None:
        """Write each record's end: as an event told it, else as the job table has it."""
        for record in self.records():
            if record.job_id and record.story.last is None:
                await _ask(client, record)


def _conclude(record: Record) -> None:
    last = record.story.last
    if last is None:
        return
    record.outcome = last.name.removeprefix("job.")
    seen = record.story.completed.get(last.attempt) if record.outcome == "completed" else None
    record.ended_at = seen or record.story.failed_at
    record.clock = dict(last.clock)
    if record.story.notified_at is not None:
        record.clock["notified"] = record.story.notified_at
    record.worker = last.worker or ""
    record.queue = last.queue or ""
    record.reason = last.reason or ""
    record.error = last.error_message or ""


async def _ask(client: ApiClient, record: Record) -> None:
    try:
        answer = await client.get(f"/status/{record.job_id}")
    except ApiUnreachable:
        return
    record.settled = str(answer.body.get("status", ""))
    if record.settled in ("completed", "failed"):
        record.outcome = record.settled
        record.reason = str(answer.body.get("reason") or "")
        record.error = str(answer.body.get("error_message") or "")
        record.worker = str(answer.body.get("worker") or "")
