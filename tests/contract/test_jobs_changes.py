"""The contract of the order of changes: what live clients are told, and what they read to close a gap."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from services.common.jobs import JobStore, Wanted
from services.common.messages import Change
from tests.support.examples import event, new_id, new_job

ALL = Wanted()


def _rising(changes: list[Change]) -> bool:
    return all(one.seq < other.seq for one, other in pairwise(changes))


def test_each_change_has_a_higher_seq(jobs: JobStore) -> None:
    """Changes are numbered in rising order, notices after moves, and a row has the number of its latest."""
    one, two = new_id(), new_id()
    told = [
        *jobs.apply([event("job.started", one), event("job.started", two)]).rows,
        *jobs.apply([event("job.completed", one), event("job.completed", one)]).rows,
        *jobs.apply([event("job.notified", one), event("job.failed", two)]).rows,
    ]
    assert [change.job_id for change in told] == [one, two, one, two, one]
    assert _rising(told)
    rows = {job_id: row.seq for job_id in (one, two) if (row := jobs.get(job_id))}
    assert rows == {one: told[4].seq, two: told[3].seq}


def test_a_commit_says_what_came_before_it(jobs: JobStore) -> None:
    """Who knows the change before a commit has missed nothing."""
    first = jobs.apply([event("job.started"), event("job.started")])
    assert first.after == 0
    second = jobs.apply([event("job.started")])
    assert second.after == first.rows[-1].seq == jobs.changes(0, ALL, 2)[-1].seq
    assert jobs.apply([]).after == second.rows[-1].seq == jobs.last_seq()


def test_a_job_that_the_api_marked_queued_is_announced_once(jobs: JobStore) -> None:
    """The event after the API's own mark moves no status, but gives the row its place in the order."""
    born = new_job(batch_id="b1")
    jobs.add([born])
    jobs.mark_queued({born.job_id: {}})
    assert jobs.changes(0, ALL, 10) == []
    queued = event("job.queued", born.job_id)
    [change] = jobs.apply([queued, queued]).rows
    assert (change.status, change.batch_id, change.operations) == ("queued", "b1", "resize,800x600")
    assert jobs.apply([queued]).rows == ()
    row = jobs.get(born.job_id)
    assert row is not None
    assert row.seq == change.seq


def test_the_order_goes_on_in_an_emptied_table(jobs: JobStore) -> None:
    """Who has seen the changes of an earlier table misses none of the new one."""
    before = jobs.apply([event("job.started")]).rows[0]
    jobs.clear()
    assert jobs.last_seq() == 0
    after = jobs.apply([event("job.started")])
    assert after.after == 0
    assert after.rows[0].seq > before.seq


def test_the_order_goes_on_in_a_new_database(tmp_path: Path) -> None:
    """A database that was lost is followed by one whose changes come later."""
    seen: list[Change] = []
    for name in ("lost", "new"):
        store = JobStore(f"sqlite:///{tmp_path}/{name}.db")
        store.create_schema()
        seen += store.apply([event("job.started"), event("job.started")]).rows
        store.close()
    assert _rising(seen)


def test_the_order_goes_on_with_a_clock_set_back(jobs: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number after the last one counts when the time does not go on."""
    first = jobs.apply([event("job.started")]).rows[0]
    monkeypatch.setattr("time.time_ns", lambda: 0)
    assert [change.seq for change in jobs.apply([event("job.started")]).rows] == [first.seq + 1]


def test_a_restarted_tracker_goes_on_counting(url: str, jobs: JobStore) -> None:
    """The order is in the table, not in a program."""
    first = jobs.apply([event("job.started")]).rows[0]
    again = JobStore(url)
    changes = again.apply([event("job.started")])
    again.close()
    assert changes.after == first.seq < changes.rows[0].seq


def test_changes_are_read_in_their_order_page_by_page(jobs: JobStore) -> None:
    """Each job comes once, as it is now, at the place of its latest change."""
    ids = [new_id() for _ in range(5)]
    jobs.apply([event("job.started", job_id) for job_id in ids])
    jobs.apply([event("job.failed", ids[1])])
    seen: list[Change] = []
    while page := jobs.changes(seen[-1].seq if seen else 0, ALL, 2):
        seen += page
    assert [change.job_id for change in seen] == [ids[0], ids[2], ids[3], ids[4], ids[1]]
    assert [change.status for change in seen] == [*["processing"] * 4, "failed"]
    assert seen[-1].error_message == "not an image"
    assert _rising(seen)


def test_changes_are_read_as_wanted(jobs: JobStore) -> None:
    """By job, by batch and by status, and by all of them together; told and read changes fit the same."""
    born = [new_job(batch_id=batch) for batch in ("b1", "b1", "b2")]
    jobs.add(born)
    one, two, three = (job.job_id for job in born)
    told = jobs.apply([event("job.started", one), event("job.failed", two), event("job.failed", three)]).rows
    for wanted, found in (
        (ALL, [one, two, three]),
        (Wanted(job_ids=frozenset({one, three})), [one, three]),
        (Wanted(batch_id="b1"), [one, two]),
        (Wanted(statuses=frozenset({"failed", "completed"})), [two, three]),
        (Wanted(batch_id="b1", statuses=frozenset({"failed"})), [two]),
        (Wanted(job_ids=frozenset({one}), batch_id="b2"), []),
    ):
        assert [change.job_id for change in jobs.changes(0, wanted, 10)] == found
        assert [change.job_id for change in told if wanted.fits(change)] == found


def test_a_commit_says_which_jobs_it_ended(jobs: JobStore) -> None:
    """An end counts in the commit that moved the row: not when it is told again, nor when a notice comes."""
    one, two, three = new_id(), new_id(), new_id()
    ends = [event("job.completed", one), event("job.failed", two), event("job.started", three)]
    assert jobs.apply([*ends, event("job.notified", one)]).ended == (one, two)
    assert jobs.apply([*ends, event("job.notified", two)]).ended == ()
    assert jobs.apply([event("job.queued", two, generation=2)]).ended == ()
    assert jobs.apply([event("job.completed", two, generation=2)]).ended == (two,)
