"""What is measured on a run."""

from __future__ import annotations

import pytest

from labkit.errors import UnknownName
from labkit.experiments.expectation import Value
from labkit.experiments.measures import MEASURES, Run, find, measure, refusals, title
from tests.support.runs_of import fifo, record


def _number(name: str, run: Run) -> float | None:
    return measure(name, run).number


def test_a_drained_queue() -> None:
    """Twenty jobs of half a second: the last ends after ten, and the mean waits for half of them."""
    run = Run.of(fifo(20, 0.5))
    assert _number("duration_s", run) == 10
    assert _number("throughput_per_s", run) == 2
    assert _number("latency_mean_s", run) == pytest.approx(5.25)
    assert _number("service_mean_ms", run) == 500
    assert _number("gap_s", run) == 0.5
    assert _number("completed", run) == 20


def test_the_peak_is_exact() -> None:
    """Three bursts of four jobs and a worker that does one a second: 4, 8 - 2 and 10 - 4 are unfinished."""
    jobs = [
        record(4 * burst + number, sent=2.0 * burst, ended=4.0 * burst + number + 1)
        for burst in range(3)
        for number in range(4)
    ]
    assert _number("peak_backlog", Run.of(jobs)) == 8


def test_a_job_that_ends_when_another_comes_is_no_backlog() -> None:
    """The end counts first, so that one in and one out at the same moment is not two."""
    assert _number("peak_backlog", Run.of([record(0, sent=0, ended=1), record(1, sent=1, ended=2)])) == 1


def test_measures_with_a_word() -> None:
    """Jobs by worker, ends by operation and failures by reason."""
    jobs = [
        record(0, operations="convert,png", ended=3, worker="worker-2"),
        record(1, operations="resize", ended=9),
        record(2, operations="resize", ended=5, outcome="failed", reason="permanent", attempts=3),
    ]
    run = Run.of(jobs)
    assert _number("done_by.worker-2", run) == 1
    assert _number("done_by.worker-7", run) == 0
    assert _number("end_of.convert", run) == 3
    assert measure("end_of.rotate", run) == Value(None, "no rotate job ended")
    assert _number("failed_by.permanent", run) == 1
    assert _number("failed_by.crash", run) == 0
    assert _number("deliveries_per_job", run) == pytest.approx(5 / 3)
    assert title("end_of.convert") == "last convert job ended"


def test_littles_law() -> None:
    """Requests under way are answers a second times the mean time to one."""
    run = Run.of([record(number, sent=number) for number in range(10)])
    assert _number("answer_mean_ms", run) == 500
    assert _number("under_way", run) == pytest.approx(10 / 9.5 * 0.5)


def test_a_percentile_of_few_samples_is_none() -> None:
    """P95 of 199 jobs is not a number but a reason; of 200 it is one."""
    assert measure("latency_p95_s", Run.of(fifo(199, 1))).why == "few samples: 199, a P95 needs 200"
    assert _number("latency_p95_s", Run.of(fifo(200, 1))) == 190


def test_lost_is_not_known_while_answers_are_missing() -> None:
    """A job that may or may not have been accepted cannot be called not lost."""
    jobs = [record(0), record(1, status_code=503, ended=None)]
    assert measure("lost", Run.of(jobs)).why == "1 job without a clear answer"
    assert _number("unknown", Run.of(jobs)) == 1
    assert _number("lost", Run.of([record(0), record(1, ended=None)])) == 1


def test_refusals_are_counted_by_what_was_said() -> None:
    """A status code, or no answer at all."""
    jobs = [record(0), record(1, status_code=503), record(2, status_code=503), record(3, status_code=None)]
    assert refusals(jobs) == {"503": 2, "no answer": 1}


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_a_run_in_which_nothing_happened(name: str) -> None:
    """No measure divides by zero: it is none, or none of the jobs."""
    word = ".x" if "{}" in MEASURES[name].title else ""
    found = measure(name + word, Run.of([record(0, ended=None, status_code=429)]))
    assert found.number in (None, 0, 1)


@pytest.mark.parametrize("name", ["speed", "done_by", "duration_s.worker-1", ""])
def test_an_unknown_measure_is_refused(name: str) -> None:
    """So is one that lacks its word, or has one too many."""
    with pytest.raises(UnknownName):
        find(name)
