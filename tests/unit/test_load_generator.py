"""The load generator: what it sends, when, and what it says of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.load.arrivals import Arrivals, ClosedLoop, at_once, bursts, constant
from labkit.load.generator import generating
from labkit.load.records import Record
from labkit.load.session import Outcome, Session
from labkit.load.wire import Plan, Report
from labkit.load.workloads import Expected, Workload, expectation, grid, same, text
from services.common.broker import Broker, Delivery
from services.common.envelopes import event_envelope
from services.common.messages import Event, Job
from services.common.testing import MemoryBroker
from services.common.topology import declarations
from tests.support.api import Api, picture, running
from tests.support.waiting import eventually


class Lasting(MemoryBroker):
    """A broker that a client may leave: others stay."""

    def __init__(self) -> None:
        super().__init__(declarations())
        self.users = 0

    async def __aexit__(self, *exc: object) -> None:
        """Close when the last one leaves."""
        self.users -= 1
        if self.users < 0:
            await super().__aexit__(*exc)

    def shared(self) -> Broker:
        """Give it to one more."""
        self.users += 1
        return self


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Serve an API behind which a worker does each job at once."""
    with running(tmp_path, broker=Lasting) as api:
        for queue in ("text.jobs", "image.jobs"):
            api.run(api.broker.consume(queue, lambda delivery: _work(api.broker, delivery), prefetch=0))
        yield api


async def _work(broker: MemoryBroker, delivery: Delivery) -> None:
    job = Job.decode(delivery.body)
    for name in ("job.started", "job.completed"):
        happened = Event.of(
            job,
            name,
            attempt=1,
            clock=job.clock,
            worker="worker-1",
            queue=delivery.queue,
        )
        await broker.publish(event_envelope(happened))
    delivery.ack()


def _run(api: Api, workload: Workload, arrivals: Arrivals) -> Outcome:
    broker = api.broker
    assert isinstance(broker, Lasting)
    session = Session(api.url, broker.shared, stall_s=5, verify_sample=0)
    return api.run(session.run(workload, arrivals))


def _at_once(records: tuple[Record, ...]) -> int:
    """Return the most requests that were open at one moment."""
    moments = [(record.sent_at or 0.0, 1) for record in records]
    moments += [(record.answered_at or 0.0, -1) for record in records]
    level = most = 0
    for _, change in sorted(moments):
        level += change
        most = max(most, level)
    return most


def test_an_open_loop_sends_at_its_own_times(api: Api) -> None:
    """The intended times are as planned, and no job leaves before its time."""
    outcome = _run(api, text(30, 0.0), constant(100, 30))
    intended = [record.intended_at - outcome.started_at for record in outcome.records]
    assert intended == pytest.approx([number / 100 for number in range(30)], abs=1e-5)
    assert all((record.late_by_s or 0.0) >= -0.002 for record in outcome.records)
    assert {record.outcome for record in outcome.records} == {"completed"}
    assert {record.queue for record in outcome.records} == {"text.jobs"}


def test_a_closed_loop_waits_for_its_answers(api: Api) -> None:
    """Never are more requests open than there are senders, and each job is sent once."""
    outcome = _run(api, text(40, 0.0), ClosedLoop(3))
    assert _at_once(outcome.records) <= 3
    assert len({record.job_id for record in outcome.records}) == 40
    assert {record.outcome for record in outcome.records} == {"completed"}
    assert outcome.records[0].intended_at < outcome.records[-1].intended_at


def test_images_are_sent_whole(api: Api) -> None:
    """Jobs with the same picture share a form, and the API finds file, operations and name in it."""
    workload = same("käse.jpg", picture(), 6, "resize,20x20;rotate,90")
    outcome = _run(api, workload, bursts(3, 2, 0.1))
    assert {record.status_code for record in outcome.records} == {202}
    rows = [api.table.get(record.job_id) for record in outcome.records]
    assert {(row.filename, row.operations) for row in rows if row} == {("käse.jpg", "resize,20x20;rotate,90")}


def test_a_refused_job_is_told(api: Api) -> None:
    """The API's words are in the record, and nobody waits for such a job."""
    outcome = _run(api, same("a.jpg", b"no image", 2, "resize"), at_once(2))
    assert {(record.status_code, record.accepted, record.dropped) for record in outcome.records} == {
        (415, False, False)
    }
    assert all("image" in record.error for record in outcome.records)


@contextlib.asynccontextmanager
async def _silent() -> AsyncIterator[str]:
    """Serve an address that takes requests and never answers."""
    gone = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        gone.set()


def _plan(url: str, jobs: int, *, in_flight: int, drop_after_s: float) -> Plan:
    keys = [f"job-{number}" for number in range(jobs)]
    return Plan(url, text(jobs, 0.0), at_once(jobs), keys, in_flight, drop_after_s, warm=0)


async def test_jobs_that_find_no_room_are_dropped_and_counted() -> None:
    """With one request open for ever, the others wait for their turn, then count as dropped."""
    reports: list[Report] = []
    async with _silent() as url, generating(_plan(url, 4, in_flight=1, drop_after_s=0.1)) as generator:
        sending = asyncio.create_task(generator.run(0.0, reports.extend))
        await eventually(lambda: len(reports) == 3, within_s=20)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await generator.stop(reports.extend)
    assert [report.number for report in reports if report.sent_at is None] == [1, 2, 3]
    assert all(report.held and "dropped" in report.error for report in reports[:3])
    [stopped] = [report for report in reports if report.sent_at is not None]
    assert (stopped.number, stopped.answered_at, stopped.status) == (0, None, None)


async def test_a_generator_that_dies_is_an_error() -> None:
    """A sending process that is gone does not leave the run waiting."""
    async with _silent() as url, generating(_plan(url, 1, in_flight=1, drop_after_s=60)) as generator:
        generator._process.kill()
        with pytest.raises(LabError, match="ended by itself"):
            await generator.run(0.0, lambda _: None)


def test_the_grid_knows_its_results() -> None:
    """What the operations make of the picture is found by doing them, sleeps left out."""
    assert grid(2).jobs[0].expected == Expected("JPEG", 800, 450)
    assert expectation(picture(), "sleep,60;convert,png") == Expected("PNG", 64, 48)
    assert expectation(b"no image", "resize") is None
    with pytest.raises(LabError, match="explode"):
        expectation(picture(), "explode")
