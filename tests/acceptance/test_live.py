"""Live changes on the real stack: every listener of two APIs is told everything once, whatever breaks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labkit.load.workloads import text
from labkit.stack import Options
from tests.acceptance.ears import listening
from tests.acceptance.stack import Live, Stack, eventually

JOBS = 500


@pytest.fixture
def two_apis(stack: Stack) -> Iterator[Stack]:
    """Give the stack with two APIs."""
    stack.runtime.up(Options(counts={"api": 2}))
    yield stack
    stack.runtime.up(Options(counts={"api": 1}))


def test_each_change_comes_once_and_in_order(two_apis: Stack) -> None:
    """500 jobs: what the tracker published is what each listener of either API was told."""
    with listening(two_apis) as ears:
        # All of it live: who connects later reads only the latest change of each job.
        eventually(lambda: _listeners(two_apis) == len(ears.ears), 20)
        outcome = two_apis.send(text(JOBS, 0))
        assert sum(record.outcome == "completed" for record in outcome.records) == JOBS
        assert len(ears.heard_all()) == JOBS
        assert ears.published == sorted(set(ears.published))
        for ear in ears.ears:
            assert (ear.seqs, ear.outages) == (ears.published, 0), ear.way


def test_failures_are_told_with_their_reason(two_apis: Stack) -> None:
    """A job that is given up at once."""
    with listening(two_apis) as ears:
        job_id = two_apis.upload_cut()
        eventually(lambda: all(_told(ear.told, job_id) == "failed" for ear in ears.ears), 20)
        for ear in ears.ears:
            last = ear.told[-1]
            assert (last["status"], last["reason"]) == ("failed", "permanent")
            assert last["error_message"]


def test_nothing_is_missed_whatever_is_killed(own_broker: Stack, two_apis: Stack) -> None:
    """Under load the tracker, the broker and an API get SIGKILL, and the other API is restarted."""
    runtime = own_broker.runtime

    def strike(live: Live) -> None:
        live.until(lambda progress: progress.ended >= 50)
        runtime.kill("tracker-1")
        live.until(lambda progress: progress.ended >= 100)
        runtime.kill("rabbitmq-1", respawn=False)
        runtime.start("rabbitmq-1")
        ended = live.latest.ended
        live.until(lambda progress: progress.ended > ended)
        runtime.kill("api-2")
        runtime.restart("api-1")

    with listening(two_apis) as ears:
        two_apis.send(text(JOBS, 0.02), strike)
        assert len(ears.heard_all()) >= 100
        for ear in ears.ears:
            assert ear.seqs == sorted(set(ear.seqs)), ear.way
            assert ear.outages >= 1, ear.way


def _told(told: list[dict[str, object]], job_id: str) -> object:
    return next((change["status"] for change in reversed(told) if change["job_id"] == job_id), None)


def _listeners(stack: Stack) -> int:
    samples = [*stack.metric("api-1", "listeners"), *stack.metric("api-2", "listeners")]
    return round(sum(float(sample["value"]) for sample in samples))
