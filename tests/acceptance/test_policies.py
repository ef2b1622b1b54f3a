"""The policies that labs compare: each with its honest consequence."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import pytest

from labkit.control import chaos
from labkit.load.workloads import text
from labkit.stack import Options
from services.common.topology import DELIVERY_LIMIT
from tests.acceptance.stack import Live, Stack, eventually


@contextlib.contextmanager
def _policy(stack: Stack, **settings: str) -> Iterator[None]:
    """Run the workers under other settings while the block runs."""
    stack.runtime.up(Options(settings=settings))
    try:
        yield
    finally:
        usual = {"LAB_RETRY": "delayed", "LAB_ACK": "late"}
        stack.runtime.up(Options(settings={name: usual[name] for name in settings}))


@pytest.fixture
def failing(stack: Stack) -> Iterator[Stack]:
    """Give a stack on which every attempt fails."""
    chaos.change(stack.access, chaos.fail_rate(1))
    yield stack
    chaos.change(stack.access, chaos.clear)


def test_acknowledging_early_loses_jobs_when_a_worker_is_killed(stack: Stack) -> None:
    """The job that was acknowledged and not done is gone, and the ledger says so."""

    def kill(live: Live) -> None:
        live.until(lambda progress: progress.accepted == progress.jobs and progress.ended >= 4)
        stack.runtime.kill("worker-1")

    with _policy(stack, LAB_ACK="early"):
        ledger = stack.run(text(30, 0.5), kill, stall_s=8)
    assert ledger.lost >= 1
    assert ledger.completed + ledger.lost == ledger.accepted
    assert ledger.verdict is False


def test_without_retries_the_first_fault_is_the_last(failing: Stack) -> None:
    """The job goes to the dead letters after one attempt."""
    job_id = f"none-{uuid.uuid4().hex[:8]}"
    with _policy(failing, LAB_RETRY="none"):
        failing.produce(job_id, 0)
        eventually(lambda: failing.status(job_id)["status"] == "failed", 20)
    assert failing.status(job_id)["attempts"] == 1
    assert failing.status(job_id)["reason"] == "attempts_spent"


def test_requeueing_at_once_ends_at_the_limit_or_never(failing: Stack) -> None:
    """RabbitMQ 3.10 counts basic.nack and stops at the delivery limit; 4.x does not, and the job loops."""
    job_id = f"requeue-{uuid.uuid4().hex[:8]}"
    counted = failing.broker_version() < (4, 0)
    with _policy(failing, LAB_RETRY="requeue"):
        failing.produce(job_id, 0)
        if counted:
            eventually(lambda: failing.status(job_id)["status"] == "failed", 30)
            assert failing.status(job_id)["reason"] == "delivery_limit"
            return
        eventually(lambda: failing.consumed() > 10 * DELIVERY_LIMIT, 30)
        assert failing.status(job_id)["status"] == "processing"
        chaos.change(failing.access, chaos.clear)
        eventually(lambda: failing.status(job_id)["status"] == "completed", 30)


def test_delayed_retries_end_after_four_attempts(failing: Stack) -> None:
    """1, 5 and 15 seconds later, then the dead letters, with the attempt in the status."""
    job_id = f"delayed-{uuid.uuid4().hex[:8]}"
    failing.produce(job_id, 0)
    eventually(lambda: failing.status(job_id)["status"] == "retrying", 20)
    eventually(lambda: failing.status(job_id)["status"] == "failed", 60)
    assert failing.status(job_id)["attempts"] == 4
    assert failing.status(job_id)["reason"] == "attempts_spent"
    assert failing.status(job_id)["error_code"] == "injected_fault"
