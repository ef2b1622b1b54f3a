"""The delivery log beside the job table, on each database."""

from __future__ import annotations

from services.common.jobs import JobStore
from tests.support.examples import attempt, event, new_id, new_job


def test_attempts_are_read_in_their_order(jobs: JobStore) -> None:
    """Whatever order they come in; those of other jobs are left out; the last ones when there are many."""
    job_id = new_id()
    made = [attempt(job_id, number) for number in (1, 2, 3)]
    jobs.note_attempts([made[2], attempt(new_id()), made[0]])
    jobs.note_attempts([made[1]])
    assert jobs.attempts(job_id, 10) == made
    assert jobs.attempts(job_id, 2) == made[1:]
    assert jobs.attempts("nobody", 10) == []


def test_a_duplicate_changes_nothing(jobs: JobStore) -> None:
    """The broker may deliver a record twice; two POSTs of one attempt are two rows."""
    job_id = new_id()
    first = attempt(job_id)
    again = attempt(job_id, at=1001.5, outcome="delivered", status_code=204, error_code=None)
    jobs.note_attempts([first, first])
    jobs.note_attempts([first, again])
    jobs.note_attempts([])
    assert jobs.attempts(job_id, 10) == [first, again]


def test_clearing_forgets_them(jobs: JobStore) -> None:
    """A reset leaves no log behind, and counts jobs."""
    born = new_job()
    jobs.add([born])
    jobs.note_attempts([attempt(born.job_id)])
    assert jobs.clear() == 1
    assert jobs.attempts(born.job_id, 10) == []


def test_a_row_knows_where_to_call(jobs: JobStore) -> None:
    """The callback_url is in the row, whether the API or an event was first."""
    url = "https://example.org/" + "x" * 1900
    born, early = new_job(callback_url=url), event("job.completed", callback_url=url)
    jobs.add([born])
    jobs.apply([early, event("job.started", born.job_id)])
    jobs.add([new_job(job_id=early.job_id)])
    rows = [jobs.get(job_id) for job_id in (born.job_id, early.job_id)]
    assert [row and row.callback_url for row in rows] == [url, url]
