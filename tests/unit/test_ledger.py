"""Every job that was sent is accounted for, once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.analysis.ledger import balance
from labkit.load.records import Record, Story
from labkit.load.workloads import Planned
from tests.support.examples import event
from tests.support.records import completed, record


def test_a_run_without_a_fault() -> None:
    """All accepted, all completed: the verdict is true."""
    ledger = balance([completed(number, verified=True) for number in range(3)])
    assert (ledger.attempted, ledger.accepted, ledger.completed, ledger.verified) == (3, 3, 3, 3)
    assert (ledger.lost, ledger.failed, ledger.duplicated, ledger.redelivered) == (0, 0, 0, 0)
    assert ledger.verdict is True


def test_failed_jobs_are_kept_promises() -> None:
    """A job that ended in the dead letters is accounted for, by its reason."""
    failed = [record(sequence=number, outcome="failed", reason="permanent") for number in range(2)]
    crashed = record(sequence=2, outcome="failed", reason="delivery_limit")
    ledger = balance([*failed, crashed, completed(3)])
    assert (ledger.completed, ledger.failed) == (1, 3)
    assert ledger.failed_by_reason == {"permanent": 2, "delivery_limit": 1}
    assert ledger.verdict is True


def test_a_lost_job_is_a_broken_promise() -> None:
    """Accepted and without an end: the verdict is false, whatever else went well."""
    ledger = balance([completed(0), record(sequence=1)])
    assert (ledger.accepted, ledger.completed, ledger.lost) == (2, 1, 1)
    assert ledger.verdict is False


def test_a_wrong_result_is_a_broken_promise() -> None:
    """A completed job whose result is not as planned counts as broken."""
    ledger = balance([completed(0, verified=False), completed(1, verified=True)])
    assert (ledger.verified, ledger.broken) == (1, 1)
    assert ledger.verdict is False


@pytest.mark.parametrize("status_code", [None, 500, 503])
def test_without_a_clear_answer_nothing_is_known(status_code: int | None) -> None:
    """No answer, or an error of the server: the job may have been enqueued, so there is no verdict."""
    unsure = record(sequence=1, status_code=status_code, job_id="")
    ledger = balance([completed(0), unsure])
    assert (ledger.unknown, ledger.recovered, ledger.rejected) == (1, 0, 0)
    assert ledger.verdict is None


def test_an_unknown_job_that_ended_is_recovered() -> None:
    """It is known after all, and never counted as completed: nobody was promised it."""
    unsure = completed(1, status_code=503)
    ledger = balance([completed(0), unsure])
    assert (ledger.completed, ledger.unknown, ledger.recovered) == (1, 1, 1)
    assert ledger.verdict is True


def test_a_rejected_job_is_no_promise() -> None:
    """What the API refused is neither accepted nor lost."""
    ledger = balance([completed(0), record(sequence=1, status_code=413, job_id="")])
    assert (ledger.attempted, ledger.accepted, ledger.rejected, ledger.lost) == (2, 1, 1, 0)
    assert ledger.verdict is True


def test_nothing_accepted_is_no_pass() -> None:
    """A run in which nothing was accepted shows nothing."""
    assert balance([]).verdict is None
    assert balance([record(status_code=400)]).verdict is None


def test_redelivered_retried_and_duplicated() -> None:
    """Redeliveries and retries are counted one by one, duplicates by job."""
    twice = record(
        event("job.started", "job-0"),
        event("job.completed", "job-0"),
        event("job.started", "job-0", attempt=2, redelivered=True),
        event("job.completed", "job-0", attempt=2),
        outcome="completed",
    )
    retried = record(
        event("job.started", "job-1"),
        event("job.retrying", "job-1"),
        event("job.started", "job-1", attempt=2),
        event("job.retrying", "job-1", attempt=2),
        event("job.started", "job-1", attempt=3),
        event("job.completed", "job-1", attempt=3),
        sequence=1,
        outcome="completed",
    )
    ledger = balance([twice, retried])
    assert (ledger.duplicated, ledger.redelivered, ledger.retried) == (1, 1, 2)
    assert (ledger.completed, ledger.verdict) == (2, True)


_OUTCOMES = st.sampled_from(["", "completed", "failed"])
_CODES = st.sampled_from([None, 201, 202, 400, 413, 429, 500, 503])


@given(st.lists(st.tuples(_CODES, _OUTCOMES), max_size=30))
def test_the_books_always_balance(answers: list[tuple[int | None, str]]) -> None:
    """Whatever happens, every job stands in one column of each line."""
    records = [
        record(sequence=number, status_code=code, outcome=outcome)
        for number, (code, outcome) in enumerate(answers)
    ]
    ledger = balance(records)
    assert ledger.attempted == ledger.accepted + ledger.unknown + ledger.rejected == len(records)
    assert ledger.accepted == ledger.completed + ledger.failed + ledger.lost
    assert ledger.failed == sum(ledger.failed_by_reason.values())
    assert ledger.recovered <= ledger.unknown
    assert ledger.verdict is not True or (ledger.lost == 0 and ledger.accepted > 0)


def test_a_story_ignores_duplicates() -> None:
    """An event that the broker delivers twice is one event."""
    story, started = Story(), event("job.started", redelivered=True)
    for _ in range(3):
        story.take(started, 1.0)
    assert (story.started, story.redelivered) == ({1}, 1)


def test_the_first_end_counts_as_in_the_table() -> None:
    """Completed, then dead-lettered all the same: the job is completed."""
    story, ended = Story(), event("job.completed")
    story.take(ended, 1.0)
    story.take(event("job.failed", ended.job_id, attempt=6), 2.0)
    assert story.last == ended
    story.take(again := event("job.failed", ended.job_id, generation=2), 3.0)
    assert story.last == again


def test_a_record_knows_whether_it_was_promised() -> None:
    """202 for images, 201 for text jobs; before it was sent a job is neither accepted nor unknown."""
    assert record(status_code=202).accepted
    assert record(status_code=201).accepted
    assert not record(status_code=409).accepted
    fresh = Record(Planned(sequence=0), intended_at=1.0)
    assert not fresh.accepted
    assert not fresh.unknown
