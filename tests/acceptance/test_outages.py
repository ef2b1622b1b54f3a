"""Parts of the stack that are away for a while: what waits, waits, and nothing is lost or given up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest

from labkit.analysis.ledger import Ledger
from labkit.control import chaos
from tests.acceptance.stack import Live, Stack, eventually, images

JOBS = 60
AWAY_S = 10.0


def _all_done(ledger: Ledger, jobs: int = JOBS) -> None:
    assert ledger.failed_by_reason == {}
    assert ledger.lost == 0
    assert (ledger.completed, ledger.failed) == (jobs, 0)
    assert ledger.verified == jobs


def _away(stack: Stack, name: str, seconds: float = AWAY_S) -> Callable[[Live], None]:
    """Return what takes an instance away when all jobs are accepted, and brings it back later."""

    def act(live: Live) -> None:
        live.until(lambda progress: progress.accepted == progress.jobs > 0)
        stack.runtime.kill(name, respawn=False)
        live.hold(seconds)
        stack.runtime.start(name)

    return act


def test_a_store_that_is_away_for_ten_seconds_sends_nothing_to_the_dead_letters(stack: Stack) -> None:
    """The retry queues bridge the time: jobs are tried again, and complete."""
    # Long jobs, so that most of them are still to come when the last upload is accepted.
    ledger = stack.run(images(JOBS, pause_s=0.3), _away(stack, "object-store-1"))
    _all_done(ledger)
    assert ledger.retried >= 1


def test_a_slow_store_delays_and_loses_nothing(stack: Stack) -> None:
    """Half a second on each call of a worker to the store."""
    faults = chaos.change(stack.access, chaos.store_latency("500ms"))
    try:
        assert faults.active
        _all_done(stack.run(images(10, pause_s=0)), 10)
    finally:
        chaos.change(stack.access, chaos.clear)


def test_statuses_catch_up_after_the_tracker_was_away(stack: Stack) -> None:
    """Events wait in the tracker's queue; the table is right when they are read."""
    before = stack.counts().get("completed", 0)
    _all_done(stack.run(images(JOBS, pause_s=0.02), _away(stack, "tracker-1")))
    eventually(lambda: stack.counts().get("completed", 0) == before + JOBS, 20)


def test_nobody_misses_a_notification_when_the_notifier_was_away(stack: Stack) -> None:
    """One for each job, whenever it comes; only what it had in hand when it was killed may come again."""
    seen = _notified(stack)
    _all_done(stack.run(images(JOBS, pause_s=0.02), _away(stack, "notifier-1")))
    eventually(lambda: len(_notified(stack) - seen) == JOBS, 20)
    assert set((_notified(stack) - seen).values()) <= {1, 2}  # it was killed once


@pytest.mark.parametrize("name", ["tracker-1", "notifier-1", "object-store-1"])
def test_a_part_killed_under_load_loses_nothing(stack: Stack, name: str) -> None:
    """SIGKILL, and the supervisor starts it again at once."""

    def kill(live: Live) -> None:
        live.until(lambda progress: progress.ended >= 10)
        stack.runtime.kill(name)

    ledger = stack.run(images(JOBS, pause_s=0.05), kill)
    assert ledger.lost == 0
    assert ledger.completed + ledger.failed == ledger.accepted
    assert ledger.verified == ledger.completed


def test_workers_consume_again_soon_after_the_broker_is_back(own_broker: Stack) -> None:
    """Within ten seconds of the broker being up, jobs end again."""

    def restart(live: Live) -> None:
        live.until(lambda progress: progress.accepted == progress.jobs > 0)
        own_broker.runtime.restart("rabbitmq-1")
        ended = live.latest.ended
        live.until(lambda progress: progress.ended > ended, within_s=10)

    _all_done(own_broker.run(images(JOBS, pause_s=0.3), restart))


def _notified(stack: Stack) -> Counter[str]:
    lines = (json.loads(line.text) for line in stack.runtime.logs("notifier-1", lines=100_000))
    return Counter(line["job_id"] for line in lines if line["event"] == "notification_sent")


def test_an_api_killed_under_uploads_keeps_every_promise(stack: Stack) -> None:
    """Every 202 is kept; what got no answer is sent again under its key, and is the same job."""

    def kill(live: Live) -> None:
        live.until(lambda progress: 5 <= progress.accepted < progress.jobs)
        stack.runtime.kill("api-1")

    ledger = stack.run(images(200, pause_s=0), kill)
    assert ledger.resent >= 1, "the kill hit no upload; the test shows nothing"
    assert ledger.unknown == 0
    assert ledger.duplicated == 0
    _all_done(ledger, 200)
