"""Exchanges, queues and bindings as data."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common import topology
from services.common.messages import JobEvent
from services.common.topology import (
    DELIVERY_LIMIT,
    IMAGE_POOLS,
    NO_DELIVERY_LIMIT,
    RETRY_DELAYS_S,
    WORK_QUEUES,
    Layout,
    Queue,
    consumed_by,
    declarations,
    filled_in,
    queue_for,
    retry_queue,
    run_queue,
)
from services.worker.processors import catalogue

QUEUES = {queue.name: queue for queue in declarations().queues}


@pytest.mark.parametrize(
    ("kind", "operations", "layout", "queue"),
    [
        ("image", "resize,800x600", "single", "image.jobs"),
        ("image", "", "single", "image.jobs"),
        ("text", "", "single", "text.jobs"),
        ("text", "", "per-operation", "text.jobs"),
        ("image", "rotate,90;convert,png", "per-operation", "image.rotate"),
        ("image", "resize", "per-operation", "image.resize"),
        ("image", "force_resize,7x7", "per-operation", "image.force_resize"),
        ("image", "convert,png", "per-operation", "image.convert"),
        ("image", "watermark,rotate", "per-operation", "image.other"),
        ("image", "", "per-operation", "image.other"),
    ],
)
def test_the_queue_of_a_job(kind: str, operations: str, layout: Layout, queue: str) -> None:
    """The first operation decides in the layout per-operation, the kind alone in the other."""
    assert queue_for(kind, operations, layout) == queue  # type: ignore[arg-type]


@given(
    kind=st.sampled_from(["image", "text"]),
    operations=st.one_of(st.text(), st.sampled_from(sorted(catalogue()))),
    layout=st.sampled_from(["single", "per-operation"]),
)
def test_every_job_has_a_queue_that_workers_consume(kind: str, operations: str, layout: Layout) -> None:
    """Whatever the operations are, no job waits where nobody looks."""
    queue = queue_for(kind, operations, layout)  # type: ignore[arg-type]
    assert queue in filled_in(layout)
    assert queue in consumed_by()


def test_the_pools_together_consume_every_queue() -> None:
    """With a pool for each operation no queue of either layout is left without a consumer."""
    assert {queue for pool in IMAGE_POOLS for queue in consumed_by(pool)} == set(WORK_QUEUES)
    assert set(filled_in("single")) | set(filled_in("per-operation")) == set(WORK_QUEUES)


def test_names_are_unique() -> None:
    """No two exchanges, and no two queues, have the same name."""
    declared = declarations()
    assert len(QUEUES) == len(declared.queues)
    assert len({exchange.name for exchange in declared.exchanges}) == len(declared.exchanges) == 4


def test_all_queues_are_quorum_queues_with_a_limit() -> None:
    """Since 4.0 a queue without a limit of its own would drop messages that came back 20 times."""
    for queue in (*QUEUES.values(), run_queue("r")):
        assert queue.arguments["x-queue-type"] == "quorum", queue.name
        expected = DELIVERY_LIMIT if queue.name in WORK_QUEUES else NO_DELIVERY_LIMIT
        assert queue.arguments["x-delivery-limit"] == expected, queue.name


def test_work_queues_lose_nothing_to_the_dead_letters() -> None:
    """Dead-lettering is at least once, which needs reject-publish."""
    for name in WORK_QUEUES:
        arguments = QUEUES[name].arguments
        assert arguments["x-dead-letter-exchange"] == topology.DEAD
        assert arguments["x-dead-letter-strategy"] == "at-least-once"
        assert arguments["x-overflow"] == "reject-publish"
        assert "x-dead-letter-routing-key" not in arguments


@pytest.mark.parametrize("name", WORK_QUEUES)
@pytest.mark.parametrize("delay_s", RETRY_DELAYS_S)
def test_retry_queues_hand_back_to_their_work_queue(name: str, delay_s: int) -> None:
    """Each work queue has one queue for each delay, and gets its own messages back."""
    queue = QUEUES[retry_queue(name, delay_s)]
    assert queue.arguments["x-message-ttl"] == 1000 * delay_s
    assert queue.arguments["x-dead-letter-exchange"] == topology.JOBS
    assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
    assert _receivers(topology.JOBS, queue.arguments["x-dead-letter-routing-key"]) == {name}


@pytest.mark.parametrize("delay_s", RETRY_DELAYS_S)
def test_webhooks_wait_apart_from_jobs(delay_s: int) -> None:
    """A webhook that is tried again comes back to the notifier, at least once, and to nobody else."""
    waiting = retry_queue(topology.NOTIFIER_WEBHOOKS, delay_s)
    arguments = QUEUES[waiting].arguments
    assert arguments["x-message-ttl"] == 1000 * delay_s
    assert arguments["x-dead-letter-strategy"] == "at-least-once"
    assert _receivers(topology.WEBHOOKS, waiting) == {waiting}
    assert arguments["x-dead-letter-exchange"] == topology.WEBHOOKS
    back = _receivers(topology.WEBHOOKS, arguments["x-dead-letter-routing-key"])
    assert back == {topology.NOTIFIER_WEBHOOKS}
    assert _receivers(topology.EVENTS, topology.ATTEMPTED) == {topology.TRACKER_WEBHOOKS}


def test_each_work_queue_is_reached_by_its_name() -> None:
    """A job goes to one queue, by name; so both layouts are bound at once."""
    for name in (
        *WORK_QUEUES,
        *(retry_queue(name, delay) for name in WORK_QUEUES for delay in RETRY_DELAYS_S),
    ):
        assert _receivers(topology.JOBS, name) == {name}


def test_events_reach_those_who_must_not_miss_them() -> None:
    """The tracker gets every event of a job, the notifier the ends."""
    for name in get_args(JobEvent):
        expected = {"tracker.events"}
        if name in ("job.completed", "job.failed"):
            expected.add("notifier.events")
        assert _receivers(topology.EVENTS, name) == expected
    assert QUEUES["tracker.events"].arguments["x-single-active-consumer"] is True


@pytest.mark.parametrize("key", [topology.CHANGED, topology.HEARTBEAT, topology.CONTROL])
def test_what_only_live_listeners_want_is_kept_for_nobody(key: str) -> None:
    """Changes, heartbeats and control messages fill no queue while nobody listens."""
    assert _receivers(topology.EVENTS, key) == set()


def test_a_run_collects_the_events_of_jobs_and_goes_away() -> None:
    """A run's queue outlives the broker's crash, but not its run for long."""
    queue = run_queue("abc")
    assert {binding.key for binding in queue.bindings} == set(get_args(JobEvent))
    assert queue.arguments["x-expires"] == 3_600_000
    assert queue.name == "run.abc"


def test_two_calls_are_equal() -> None:
    """All programs declare the same; RabbitMQ would refuse the second that differs."""
    assert declarations() == declarations()
    assert Queue("a", {}) == Queue("a", {})


def _receivers(exchange: str, key: str) -> set[str]:
    return {
        queue.name
        for queue in QUEUES.values()
        if any(binding.exchange == exchange and binding.key == key for binding in queue.bindings)
    }
