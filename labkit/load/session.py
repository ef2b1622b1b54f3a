"""One load run from its first job to its ledger: send, collect, settle, verify."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labkit.access import api
from labkit.errors import ApiUnreachable
from labkit.load.arrivals import Arrivals, ClosedLoop, at_once
from labkit.load.collector import Collector
from labkit.load.generator import send, settle
from labkit.load.records import Record
from labkit.load.verify import verify
from labkit.load.workloads import Workload
from services.common.broker import Broker

if TYPE_CHECKING:
    from labkit.client import ApiClient

BROKER_TIMEOUT_S = 20.0
STALL_S = 60.0
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: numbers of jobs."""

    jobs: int
    answered: int
    accepted: int
    ended: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run."""

    run_id: str
    started_at: float
    records: tuple[Record, ...]


@dataclass(slots=True)
class Session:
    """Runs workloads against a stack.

    `api_url` says where it is, `open_broker` gives a connection to its broker; `watch` is told of progress
    a few times a second;
    `stall_s` is how long nothing may happen before the rest is settled through the API; `verify_sample` is
    how many results are downloaded and looked at (None: all); `begun` is called when the first job is due.
    """

    api_url: str
    open_broker: Callable[[], Broker]
    watch: Callable[[Progress], None] = lambda _: None
    stall_s: float = STALL_S
    verify_sample: int | None = None
    begun: Callable[[], None] = lambda: None
    _records: list[Record] = field(default_factory=list)

    async def run(self, workload: Workload, arrivals: Arrivals | None = None) -> Outcome:
        """Send the workload and see it through; without arrivals, all jobs are sent at once."""
        arrivals = arrivals or at_once(len(workload.jobs))
        run_id = uuid.uuid4().hex[:12]
        collector = Collector()
        async with self.open_broker() as broker, api(self.api_url) as client:
            await broker.ready(BROKER_TIMEOUT_S)
            async with collector.collecting(broker, run_id):
                started_at = time.time()
                self._records = _plan(workload, arrivals, started_at, run_id)
                self.begun()
                watching = asyncio.create_task(self._report_forever(collector))
                await send(client, workload, self._records, arrivals, lambda _: collector.progress.set())
                await settle(client, workload, self._records)
                await self._wait(collector)
                await self._settle(client, collector)
            await verify(client, self._records, self.verify_sample)
            watching.cancel()
            self.watch(self._progress(collector))
        return Outcome(run_id, started_at, tuple(self._records))

    async def _report_forever(self, collector: Collector) -> None:
        while True:
            self.watch(self._progress(collector))
            await asyncio.sleep(POLL_S)

    def _progress(self, collector: Collector) -> Progress:
        accepted = [record.job_id for record in self._records if record.accepted]
        return Progress(
            len(self._records),
            sum(record.answered_at is not None for record in self._records),
            len(accepted),
            collector.ended(accepted),
        )

    async def _wait(self, collector: Collector) -> None:
        """Wait until all accepted jobs ended, or nothing has happened to them for a while."""
        accepted = [record.job_id for record in self._records if record.accepted]
        seen, quiet_since = -1, time.monotonic()
        while collector.ended(accepted) < len(accepted):
            # Events of other runs pass by, too; they do not count.
            if collector.seen(accepted) > seen:
                seen, quiet_since = collector.seen(accepted), time.monotonic()
            collector.progress.clear()
            try:
                async with asyncio.timeout(quiet_since + self.stall_s - time.monotonic()):
                    await collector.progress.wait()
            except TimeoutError:
                return

    async def _settle(self, client: ApiClient, collector: Collector) -> None:
        """Write each record's end: as an event told it, else as the job table has it."""
        for record in self._records:
            if not record.job_id:
                continue
            record.story = collector.stories[record.job_id]
            if record.story.last is None:
                await _ask(client, record)
            else:
                _conclude(record)


def _plan(workload: Workload, arrivals: Arrivals, started_at: float, run_id: str) -> list[Record]:
    if isinstance(arrivals, ClosedLoop):
        arrivals = at_once(len(workload.jobs))
    offsets = arrivals.offsets_s
    return [
        Record(planned, started_at + offset, key=f"{run_id}-{planned.sequence}")
        for planned, offset in zip(workload.jobs, offsets, strict=True)
    ]


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
