"""What a run amounts to."""

from __future__ import annotations

import pytest

from labkit.statistics import Spread
from labkit.summary import summarize
from tests.support.records import completed, record


def test_the_arithmetic_of_a_small_run() -> None:
    """Three completed jobs and a failed one, by hand."""
    clock = {"published": 100.2, "started": 100.7, "finished": 101.7}
    records = [
        completed(0, ended_at=102.0, clock=clock),
        completed(1, ended_at=103.0, clock=clock, intended_at=101.0, sent_at=101.0, answered_at=101.5),
        completed(2, ended_at=105.0),
        record(sequence=3, outcome="failed", ended_at=110.0),
    ]
    summary = summarize(records)
    assert (summary.jobs, summary.completed) == (4, 3)
    assert summary.duration_s == 5.0
    assert summary.throughput_per_s == pytest.approx(3 / 5)
    assert summary.latency.samples == 3
    assert summary.latency.p50_ms == pytest.approx(2000)
    assert summary.latency.p95_ms == pytest.approx(5000)
    assert summary.accept.p50_ms == pytest.approx(200)
    assert summary.queue_wait.samples == 2
    assert summary.queue_wait.p50_ms == pytest.approx(500)
    assert summary.service.p95_ms == pytest.approx(1000)


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
    assert summary.latency == Spread(0, None, None)
    assert summarize([]).jobs == 0


def test_a_job_without_a_known_end_is_left_out() -> None:
    """A job that only the table knows to be completed has no time of its end here."""
    summary = summarize([completed(0, ended_at=102.0), completed(1, ended_at=None)])
    assert (summary.completed, summary.latency.samples) == (2, 1)
    assert summary.throughput_per_s == pytest.approx(1 / 2)


@pytest.mark.parametrize(("samples", "few"), [(0, True), (199, True), (200, False)])
def test_few_samples_are_called_few(samples: int, few: bool) -> None:  # noqa: FBT001  (a table of cases)
    """P95 means something from 200 samples on."""
    assert Spread(samples, 1.0, 2.0).few is few
