"""What a run amounts to."""

from __future__ import annotations

import pytest

from labkit.analysis.statistics import Spread
from labkit.analysis.stretches import bursts
from labkit.analysis.summary import summarize
from labkit.load.workloads import Planned
from tests.support.records import completed, record


def test_the_arithmetic_of_a_small_run() -> None:
    """Three completed jobs and a failed one, by hand."""
    clock = {"published": 100.2, "started": 100.7, "finished": 101.7}
    records = [
        completed(0, ended_at=102.0, clock=clock, worker="worker-1", queue="image.jobs"),
        completed(1, ended_at=103.0, clock=clock, intended_at=101.0, sent_at=101.0, answered_at=101.5),
        completed(2, ended_at=105.0, worker="worker-1", queue="image.jobs", verified=False),
        record(sequence=3, outcome="failed", ended_at=110.0, worker="worker-2", queue="image.jobs"),
    ]
    summary = summarize(records)
    assert (summary.jobs, summary.completed, summary.duration_s) == (4, 3, 10.0)
    assert summary.submitted_per_s == pytest.approx(4 / 1.5)
    assert summary.completed_per_s == pytest.approx(4 / 10)
    assert summary.good_per_s == summary.throughput_per_s == pytest.approx(2 / 10)
    assert summary.latency.samples == 3
    assert summary.latency.p50_ms == pytest.approx(2000)
    assert summary.latency.p95_ms == pytest.approx(5000)
    assert summary.latency.mean_ms == pytest.approx(3000)
    assert summary.latency.stdev_ms == pytest.approx(1000 * 3**0.5)
    assert summary.accept.p50_ms == pytest.approx(200)
    assert summary.queue_wait.samples == 2
    assert summary.queue_wait.p50_ms == pytest.approx(500)
    assert summary.service.p95_ms == pytest.approx(1000)
    assert summary.peak_backlog == 4
    assert (summary.queues["image.jobs"].jobs, summary.queues["image.jobs"].failed) == (3, 1)
    assert summary.workers["worker-1"].share == pytest.approx(2 / 3)
    assert summary.workers["worker-1"].busy_s == pytest.approx(1.0)


def test_latency_counts_from_the_intended_time() -> None:
    """A generator that falls behind does not hide the wait of its jobs."""
    late = completed(0, intended_at=100.0, sent_at=108.0, answered_at=108.1, ended_at=109.0)
    summary = summarize([late])
    assert summary.latency.p50_ms == pytest.approx(9000)
    assert summary.accept.p50_ms == pytest.approx(100)


def test_a_run_without_completions_has_no_figures() -> None:
    """Nothing is invented: no samples, no percentiles, no rate."""
    summary = summarize([record(outcome="failed")])
    assert (summary.jobs, summary.completed, summary.duration_s, summary.throughput_per_s) == (1, 0, 0.0, 0.0)
    assert summary.latency == Spread()
    assert summarize([]).jobs == 0


def test_a_job_without_a_known_end_is_left_out() -> None:
    """A job that only the table knows to be completed has no time of its end here."""
    summary = summarize([completed(0, ended_at=102.0), completed(1, ended_at=None)])
    assert (summary.completed, summary.latency.samples) == (2, 1)
    assert summary.throughput_per_s == pytest.approx(1 / 2)


def test_late_and_dropped_sends_are_counted() -> None:
    """The generator kept up when nothing was dropped and at most one send in a hundred was late."""
    timely = [completed(number, sent_at=100.01) for number in range(198)]
    late = completed(198, sent_at=100.2, held=True)
    dropped = record(sequence=199, sent_at=None, answered_at=None, status_code=None, error="dropped: 1 open")
    sending = summarize([*timely, late, late]).sending
    assert (sending.planned, sending.sent, sending.late, sending.held, sending.dropped) == (200, 200, 2, 2, 0)
    assert sending.kept_up
    assert sending.lateness.max_ms == pytest.approx(200)
    assert not summarize([*timely, late, late, late]).sending.kept_up
    assert summarize([*timely, late, late, late], late_after_s=0.3).sending.late == 0
    missed = summarize([*timely, dropped]).sending
    assert (missed.sent, missed.dropped, missed.kept_up) == (198, 1, False)


def test_a_text_job_is_all_processing() -> None:
    """It has nothing to fetch or store, so its share of the time is not lost from the split."""
    text = record(
        outcome="completed", planned=Planned(sequence=0), clock={"started": 101.0, "finished": 101.5}
    )
    stages = summarize([text]).stages
    assert stages["process"].p50_ms == pytest.approx(500)
    assert stages["fetch"].samples == 0


def test_each_burst_has_its_backlog_and_its_end() -> None:
    """0.25 s a job and two workers: 3 bursts of 60 every 5 s peak at 100 and are done after 22.5 s."""
    ends = [0.25 * (number // 2 + 1) for number in range(180)]
    records = [
        completed(
            number,
            intended_at=5.0 * (number // 60),
            sent_at=5.0 * (number // 60) + 0.1,
            ended_at=ends[number],
        )
        for number in range(180)
    ]
    found = summarize(records).bursts
    assert [(burst.at_s, burst.jobs, burst.peak_backlog) for burst in found] == [
        (0.0, 60, 60),
        (5.0, 60, 80),
        (10.0, 60, 100),
    ]
    assert [burst.drain_s for burst in found] == [None, None, pytest.approx(12.5)]


def test_a_refused_job_is_no_backlog() -> None:
    """Only accepted jobs wait; one that never ends keeps a burst from being drained."""
    refused = record(sequence=0, status_code=503)
    endless = record(sequence=1)
    [burst] = bursts([refused, endless])
    assert (burst.jobs, burst.peak_backlog, burst.drain_s) == (2, 1, None)
