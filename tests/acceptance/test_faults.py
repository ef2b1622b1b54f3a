"""Faults on the real stack, a hundred jobs each: every accepted job ends, and no result is missing."""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from labkit.analysis.ledger import Ledger
from labkit.load.workloads import Workload
from services.common.broker import Delivery
from services.common.messages import Event
from services.common.topology import DELIVERY_LIMIT, EVENTS
from tests.acceptance.stack import Live, Stack, eventually, images

JOBS = 100


def _kept(ledger: Ledger) -> None:
    """Check that every promise was kept: all accepted jobs ended, and every result is there and right."""
    assert ledger.lost == 0
    assert ledger.broken == 0
    assert ledger.completed + ledger.failed == ledger.accepted
    assert ledger.verified == ledger.completed


def test_a_worker_killed_at_work_loses_nothing(stack: Stack) -> None:
    """A job whose worker gets SIGKILL is handed out again, and ends once."""

    def kill_one(live: Live) -> None:
        live.until(lambda progress: progress.ended >= 10)
        stack.runtime.kill("worker-1")

    ledger = stack.run(images(JOBS), kill_one)
    _kept(ledger)
    assert ledger.completed == JOBS
    assert ledger.redelivered >= 1, "the kill hit an idle worker; the test shows nothing"


def test_all_workers_killed_and_started_later_lose_nothing(stack: Stack) -> None:
    """Jobs wait in the queue while no worker lives."""

    def kill_all(live: Live) -> None:
        live.until(lambda progress: progress.ended >= 10)
        stack.runtime.kill("worker-1", respawn=False)
        stack.runtime.kill("worker-2", respawn=False)
        live.until(lambda progress: progress.accepted == JOBS)
        assert live.latest.ended < JOBS
        stack.runtime.start("worker-1")
        stack.runtime.start("worker-2")

    ledger = stack.run(images(JOBS), kill_all)
    _kept(ledger)
    assert ledger.completed == JOBS
    assert ledger.redelivered >= 1, "the kill hit idle workers; the test shows nothing"


def test_a_worker_told_to_stop_finishes_its_job(stack: Stack) -> None:
    """SIGTERM ends a worker between two jobs: nothing is handed out twice."""

    def stop_one(live: Live) -> None:
        live.until(lambda progress: progress.ended >= 10)
        stack.runtime.restart("worker-1")

    ledger = stack.run(images(JOBS), stop_one)
    _kept(ledger)
    assert ledger.completed == JOBS
    assert ledger.redelivered == 0


def test_a_killed_broker_loses_nothing(own_broker: Stack) -> None:
    """Jobs and events outlive a SIGKILL of the broker's process tree."""

    def kill_broker(live: Live) -> None:
        live.until(lambda progress: progress.ended >= 10)
        own_broker.runtime.kill("rabbitmq-1", respawn=False)
        own_broker.runtime.start("rabbitmq-1")

    ledger = own_broker.run(images(JOBS), kill_broker)
    _kept(ledger)
    assert ledger.accepted >= 10
    assert set(ledger.failed_by_reason) <= {"delivery_limit"}


def test_one_corrupt_image_does_not_hold_up_the_others(stack: Stack) -> None:
    """A truncated image fails with its reason, the 49 others complete."""
    workload = images(50, pause_s=0.02)
    truncated = {**workload.images, "cut.jpg": workload.images["small.jpg"][:2000]}
    jobs = tuple(
        job if job.sequence != 20 else type(job)(sequence=20, image="cut.jpg", operations=job.operations)
        for job in workload.jobs
    )
    ledger = stack.run(Workload("corrupt", jobs, truncated))
    _kept(ledger)
    assert (ledger.completed, ledger.failed) == (49, 1)
    assert ledger.failed_by_reason == {"permanent": 1}


def test_a_job_that_kills_its_worker_each_time_fails_and_the_others_complete(stack: Stack) -> None:
    """The broker gives up after six deliveries; with prefetch 1 no neighbour is taken along."""
    poison = f"poison-{uuid.uuid4().hex[:8]}"
    victims: list[str] = []

    async def kill_its_workers() -> None:
        killing = asyncio.Lock()

        async def started(delivery: Delivery) -> None:
            event = Event.decode(delivery.body)
            delivery.ack()
            if event.job_id == poison and event.worker:
                victims.append(event.worker)
                async with killing:
                    await asyncio.to_thread(stack.runtime.kill, event.worker)

        async with stack.access.broker() as broker:
            await broker.ready(10)
            await broker.listen(EVENTS, ("job.started",), started)
            await asyncio.to_thread(stack.produce, poison, 5)
            await asyncio.to_thread(eventually, lambda: stack.status(poison)["status"] == "failed", 60)

    ledger = stack.run(images(JOBS - 1), lambda _: asyncio.run(kill_its_workers()))
    _kept(ledger)
    assert ledger.completed == JOBS - 1
    assert len(victims) == DELIVERY_LIMIT + 1
    status = stack.status(poison)
    assert (status["status"], status["reason"]) == ("failed", "delivery_limit")


@pytest.mark.parametrize(
    "order",
    [
        ("api-1", "worker-1", "notifier-1", "tracker-1", "object-store-1", "rabbitmq-1"),
        ("worker-1", "rabbitmq-1", "api-1", "object-store-1", "tracker-1", "notifier-1"),
    ],
    ids=lambda order: f"{order[0]} first, {order[-1]} last",
)
def test_services_start_in_any_order(own_broker: Stack, order: tuple[str, ...]) -> None:
    """Each service waits for what it needs, and finds it."""
    for name in (*order, "worker-2"):
        own_broker.runtime.stop(name)
    with ThreadPoolExecutor(len(order)) as pool:
        list(pool.map(own_broker.runtime.start, order))
    ledger = own_broker.run(images(JOBS, pause_s=0.02))
    _kept(ledger)
    assert ledger.completed == JOBS
