"""The two layouts on the real stack: a change under load keeps every promise, and pools do their own work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import pytest

from labkit.analysis.ledger import Ledger, balance
from labkit.control import chaos
from labkit.load.arrivals import constant
from labkit.load.records import Record
from labkit.load.workloads import Expected, Planned, Workload
from labkit.stack import Options
from services.common.control import Faults
from services.common.topology import IMAGE_POOLS, queue_for, retry_queue
from test_images import generate_sample
from tests.acceptance.stack import Live, Stack, eventually

# More than the slowest test needs: three changes of the layout, and up to ten seconds in retry queues.
pytestmark = pytest.mark.timeout(240)

JOBS = 100
PICTURE = (160, 120)
MIX = {
    "rotate,90": Expected("JPEG", 120, 160),
    "resize,80x60,cover": Expected("JPEG", 80, 60),
    "force_resize,70x70": Expected("JPEG", 70, 70),
    "convert,png": Expected("PNG", *PICTURE),
}


def mix(jobs: int) -> Workload:
    """Return the four operations of the reference workload in turn, on a small picture."""
    names = [*MIX]
    planned = (
        Planned(sequence=number, image="small.jpg", operations=name, expected=MIX[name])
        for number in range(jobs)
        for name in [names[number % len(names)]]
    )
    return Workload("small mix", tuple(planned), {"small.jpg": generate_sample.photo(*PICTURE, seed=1)})


@pytest.fixture
def faulty(stack: Stack) -> Iterator[Stack]:
    """Give the stack, and take all faults away at the end."""
    yield stack
    chaos.change(stack.access, chaos.clear)


@pytest.fixture
def pools(faulty: Stack) -> Stack:
    """Give the stack with one worker for each pool."""
    faulty.runtime.up(Options(counts=dict.fromkeys(IMAGE_POOLS, 1), layout="per-operation"))
    return faulty


def slow(stack: Stack, delays_s: Mapping[str, float]) -> None:
    """Let jobs with these operations take longer."""
    chaos.change(stack.access, lambda _: Faults(delays_s=dict(delays_s)))


def kept(ledger: Ledger) -> None:
    """Check that every accepted job was completed, once, and its result is right."""
    assert (ledger.lost, ledger.duplicated, ledger.broken, ledger.failed) == (0, 0, 0, 0)
    assert ledger.completed == ledger.verified == ledger.accepted


def depth(stack: Stack, queue: str) -> int:
    """Ask how many messages wait in a queue."""

    async def ask() -> int:
        async with stack.access.broker() as broker:
            await broker.ready(10)
            return (await broker.depth(queue)).ready

    return asyncio.run(ask())


def test_the_layout_changes_there_and_back_under_load(faulty: Stack) -> None:
    """A hundred jobs are under way while pools take over from the workers, and hand back to them."""
    names = [name.partition(",")[0] for name in MIX]

    def change(live: Live) -> None:
        live.until(lambda progress: progress.accepted == JOBS and progress.ended >= 5)
        faulty.runtime.up(Options(layout="per-operation"))
        ended = live.latest.ended
        live.until(lambda progress: progress.ended >= ended + 5)
        faulty.runtime.up(Options(layout="single"))
        assert live.latest.ended < JOBS, "nothing was under way any more; the test shows nothing"
        chaos.change(faulty.access, chaos.clear)

    slow(faulty, dict.fromkeys(names, 1.0))
    outcome = faulty.send(mix(JOBS), change)
    ledger = balance(outcome.records)
    kept(ledger)
    assert (ledger.completed, ledger.unknown) == (JOBS, 0)
    by = {record.worker.rpartition("-")[0] for record in outcome.records}
    assert "worker" in by
    assert by & set(IMAGE_POOLS)


def test_uploads_go_on_while_the_layout_changes(faulty: Stack) -> None:
    """Uploads that meet the API's restart get no promise; all others are kept."""

    def change(live: Live) -> None:
        live.until(lambda progress: progress.accepted >= 5)
        faulty.runtime.up(Options(layout="per-operation"))

    outcome = faulty.send(mix(JOBS), change, constant(1 / 0.15, JOBS))
    ledger = balance(outcome.records)
    kept(ledger)
    assert ledger.rejected == 0
    assert ledger.recovered == 0
    assert {record.worker.rpartition("-")[0] for record in outcome.records} >= {"worker", "convert"}


def test_what_waits_in_a_retry_queue_survives_the_change(faulty: Stack) -> None:
    """A job that comes back to a queue of the layout before finds a worker there."""
    jobs = 40
    names = [name.partition(",")[0] for name in MIX]

    def change(live: Live) -> None:
        live.until(lambda progress: progress.accepted == jobs)
        eventually(lambda: depth(faulty, retry_queue("image.jobs", 5)) >= jobs // 2, 30)
        slow(faulty, dict.fromkeys(names, 1.0))
        faulty.runtime.up(Options(layout="per-operation"))
        chaos.change(faulty.access, chaos.clear)

    chaos.change(faulty.access, chaos.fail_rate(1))
    outcome = faulty.send(mix(jobs), change)
    ledger = balance(outcome.records)
    kept(ledger)
    assert ledger.completed == jobs
    assert ledger.retried >= jobs
    assert "other-1" in {record.worker for record in outcome.records}


def test_each_pool_does_its_own_operations(pools: Stack) -> None:
    """The first operation of a job decides which pool does it."""
    outcome = pools.send(mix(40))
    kept(balance(outcome.records))
    for record in outcome.records:
        assert record.worker == f"{pool(record)}-1"


def test_more_workers_move_the_bottleneck(pools: Stack) -> None:
    """With one worker for each pool convert ends last; with three for convert resize does."""
    slow(pools, {"convert": 0.6, "resize": 0.3, "rotate": 0.1, "force_resize": 0.1})
    assert drained_last(pools) == "convert"
    pools.runtime.scale("convert", 3)
    assert drained_last(pools) == "resize"


def drained_last(stack: Stack) -> str:
    """Send fifteen jobs to each of four pools, and name the pool whose last job ended last."""
    outcome = stack.send(mix(60))
    kept(balance(outcome.records))
    return pool(max(outcome.records, key=lambda record: record.ended_at or 0))


def pool(record: Record) -> str:
    """Name the pool to which a job belongs."""
    return queue_for("image", record.planned.operations, "per-operation").removeprefix("image.")
