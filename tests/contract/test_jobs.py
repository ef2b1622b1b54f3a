"""The contract of the job table, on SQLite and (with --docker) on PostgreSQL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.jobs import Filter, JobRow, JobStore
from services.common.messages import Event, JobEvent
from tests.support.examples import event, new_id, new_job


def _get(jobs: JobStore, job_id: str) -> JobRow:
    row = jobs.get(job_id)
    assert row is not None
    return row


def test_a_new_job_is_pending(jobs: JobStore) -> None:
    """What the API knows at a job's birth is in its row."""
    born = new_job(operations="rotate,90", priority=3)
    jobs.add([born])
    row = _get(jobs, born.job_id)
    assert (row.status, row.generation, row.attempt, row.seq) == ("pending", 1, 0, 0)
    assert (row.filename, row.operations, row.original_path) == ("cat.jpg", "rotate,90", "originals/cat")
    assert (row.file_size, row.priority, row.created_at) == (12345, 3, 100.0)
    assert row.clock == {"accepted": 100.0}
    assert row.outputs == ()


def test_an_unknown_job_is_none(jobs: JobStore) -> None:
    """A job that is not in the table is no error."""
    assert jobs.get("nobody") is None


def test_a_job_is_born_once(jobs: JobStore) -> None:
    """Adding the same job again leaves its row as it is."""
    born = new_job()
    jobs.add([born])
    jobs.apply([event("job.started", born.job_id)])
    jobs.add([new_job(job_id=born.job_id, filename="other.jpg"), other := new_job()])
    row = _get(jobs, born.job_id)
    assert (row.status, row.filename) == ("processing", "cat.jpg")
    assert _get(jobs, other.job_id).status == "pending"


def test_nothing_can_be_written_too(jobs: JobStore) -> None:
    """Empty batches are fine, and change nothing."""
    jobs.add([])
    jobs.mark_queued({})
    assert jobs.apply([]).rows == ()
    assert jobs.list(Filter()) == []


def test_a_pending_job_becomes_queued(jobs: JobStore) -> None:
    """After the broker's confirm the row says so, with the stage clock."""
    born = new_job()
    jobs.add([born])
    jobs.mark_queued({born.job_id: {"accepted": 100.0, "published": 101.0}, "nobody": {}})
    row = _get(jobs, born.job_id)
    assert (row.status, row.attempt) == ("queued", 1)
    assert row.clock == {"accepted": 100.0, "published": 101.0}


@pytest.mark.parametrize("name", ["job.started", "job.retrying", "job.completed", "job.failed"])
def test_a_worker_may_be_faster_than_the_confirm(jobs: JobStore, name: JobEvent) -> None:
    """A job that went on already is not set back to queued."""
    born = new_job()
    jobs.add([born])
    jobs.apply([event(name, born.job_id)])
    before = _get(jobs, born.job_id)
    jobs.mark_queued({born.job_id: {}})
    assert _get(jobs, born.job_id) == before


def test_events_move_a_job(jobs: JobStore) -> None:
    """Each event of a job's life is seen in its row."""
    born = new_job()
    jobs.add([born])
    seen = []
    for happened in (
        event("job.queued", born.job_id),
        event("job.started", born.job_id),
        event("job.retrying", born.job_id),
        event("job.started", born.job_id, attempt=2, worker="worker-2"),
        event("job.completed", born.job_id, attempt=2, worker="worker-2", at=2000.0),
    ):
        jobs.apply([happened])
        row = _get(jobs, born.job_id)
        seen.append((row.status, row.attempt, row.error_code))
    assert seen == [
        ("queued", 1, None),
        ("processing", 1, None),
        ("retrying", 1, "storage_unavailable"),
        ("processing", 2, None),
        ("completed", 2, None),
    ]
    row = _get(jobs, born.job_id)
    assert (row.worker, row.queue, row.processed_at) == ("worker-2", "image.jobs", 2000.0)
    assert (row.processing_started_at, row.file_size) == (102.0, 12345)
    assert (row.thumbnail_path, row.thumbnail_size) == ("results/j/thumbnail", 900)
    assert [output.name for output in row.outputs] == ["result", "thumbnail"]


def test_an_event_of_an_unknown_job_makes_its_row(jobs: JobStore) -> None:
    """Events may be there before the API's insert; the insert then changes nothing."""
    failed = event("job.failed", clock={"accepted": 50.0})
    jobs.apply([failed])
    jobs.add([new_job(job_id=failed.job_id)])
    row = _get(jobs, failed.job_id)
    assert (row.status, row.reason, row.error_code) == ("failed", "permanent", "broken_image")
    assert (row.created_at, row.operations) == (50.0, "resize,800x600")


def test_a_repeated_or_older_event_changes_nothing(jobs: JobStore) -> None:
    """The table tells which events moved a row."""
    started = event("job.started")
    changes = jobs.apply([started, started, event("job.queued", started.job_id)])
    assert [(change.status, change.attempt) for change in changes.rows] == [("processing", 1)]
    before = _get(jobs, started.job_id)
    assert jobs.apply([started]).rows == ()
    assert _get(jobs, started.job_id) == before


@pytest.mark.parametrize("end", ["job.completed", "job.failed"])
@pytest.mark.parametrize("name", ["job.started", "job.retrying", "job.completed", "job.failed"])
def test_an_end_is_final_in_its_generation(jobs: JobStore, end: JobEvent, name: JobEvent) -> None:
    """After completed or failed no later attempt of the same generation counts."""
    ended = event(end)
    jobs.apply([ended])
    before = _get(jobs, ended.job_id)
    assert jobs.apply([event(name, ended.job_id, attempt=9)]).rows == ()
    assert _get(jobs, ended.job_id) == before


def test_a_new_generation_begins_anew(jobs: JobStore) -> None:
    """A replayed job shows nothing of its earlier end, and can end differently."""
    ended = event("job.failed", worker="worker-1", clock={"accepted": 1.0, "started": 2.0})
    jobs.apply([ended, event("job.notified", ended.job_id)])
    jobs.apply([event("job.queued", ended.job_id, generation=2)])
    row = _get(jobs, ended.job_id)
    assert (row.status, row.generation, row.attempt) == ("queued", 2, 1)
    assert (row.reason, row.error_code, row.error_message) == (None, None, None)
    assert (row.worker, row.processing_started_at, row.processed_at) == (None, None, None)
    assert "notified" not in row.clock
    jobs.apply([event("job.completed", ended.job_id, generation=2)])
    assert _get(jobs, ended.job_id).status == "completed"


@st.composite
def _life(draw: st.DrawFn) -> list[Event]:
    """One or two generations of a job: attempts that begin and fail, and one end each."""
    job_id, events = new_id(), []
    for generation in range(1, draw(st.integers(1, 2)) + 1):
        attempts = draw(st.integers(1, 3))
        events.append(event("job.queued", job_id, generation=generation))
        for attempt in range(1, attempts + 1):
            events.append(event("job.started", job_id, generation=generation, attempt=attempt))
            if attempt < attempts:
                events.append(event("job.retrying", job_id, generation=generation, attempt=attempt))
        end: JobEvent = draw(st.sampled_from(["job.completed", "job.failed"]))
        events.append(event(end, job_id, generation=generation, attempt=attempts, worker="worker-1"))
    return events


def _visible(row: JobRow) -> tuple[object, ...]:
    return (
        (row.status, row.generation, row.attempt, row.processed_at, row.worker),
        (row.reason, row.error_code, row.error_message, row.clock, row.outputs, row.thumbnail_path),
    )


@given(data=st.data())
def test_the_order_of_events_does_not_matter(job_table: JobStore, data: st.DataObject) -> None:
    """Any order, with any repetitions, in any batches ends in the same row."""
    life = data.draw(_life())
    job_table.apply(life)
    expected = _visible(_get(job_table, life[0].job_id))
    job_table.clear()
    repeated = data.draw(st.lists(st.sampled_from(life), max_size=5))
    shuffled = data.draw(st.permutations([*life, *repeated]))
    cut = data.draw(st.integers(0, len(shuffled)))
    job_table.apply(shuffled[:cut])
    job_table.apply(shuffled[cut:])
    assert _visible(_get(job_table, life[0].job_id)) == expected


def test_a_notice_may_come_before_the_end(jobs: JobStore) -> None:
    """When the notice of a job overtakes its end, neither is forgotten."""
    started = event("job.started")
    jobs.apply([started, event("job.notified", started.job_id, at=3000.0)])
    jobs.apply([event("job.completed", started.job_id)])
    row = _get(jobs, started.job_id)
    assert (row.status, row.clock["notified"]) == ("completed", 3000.0)


def test_the_first_notice_counts(jobs: JobStore) -> None:
    """A job is notified once; the status stays, live clients are told."""
    ended = event("job.completed")
    jobs.apply([ended])
    changes = jobs.apply([event("job.notified", ended.job_id, at=3000.0)])
    assert [(change.status, change.clock["notified"]) for change in changes.rows] == [("completed", 3000.0)]
    assert jobs.apply([event("job.notified", ended.job_id, at=4000.0)]).rows == ()
    assert _get(jobs, ended.job_id).clock["notified"] == 3000.0


def test_a_late_notice_of_an_earlier_generation_is_ignored(jobs: JobStore) -> None:
    """A notice belongs to the generation that it was sent for."""
    ended = event("job.failed")
    jobs.apply([ended, event("job.queued", ended.job_id, generation=2)])
    assert jobs.apply([event("job.notified", ended.job_id)]).rows == ()
    assert "notified" not in _get(jobs, ended.job_id).clock


def test_listing_is_newest_first_and_pages(jobs: JobStore) -> None:
    """A cursor walks through all rows, each once."""
    born = [new_job() for _ in range(7)]
    jobs.add(born)
    pages: list[list[str]] = []
    cursor = None
    while rows := jobs.list(Filter(limit=3, cursor=cursor)):
        pages.append([row.job_id for row in rows])
        cursor = rows[-1].id
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [job_id for page in pages for job_id in page] == [job.job_id for job in reversed(born)]


def test_listing_by_status_and_by_id(jobs: JobStore) -> None:
    """Filters narrow, and go together."""
    born = [new_job() for _ in range(3)]
    jobs.add(born)
    jobs.apply([event("job.completed", born[0].job_id), event("job.completed", born[1].job_id)])
    completed = jobs.list(Filter(status="completed"))
    assert {row.job_id for row in completed} == {born[0].job_id, born[1].job_id}
    narrowed = jobs.list(Filter(status="completed", job_ids=[born[1].job_id, born[2].job_id]))
    assert [row.job_id for row in narrowed] == [born[1].job_id]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("resize", {"resize,800x600", "rotate,90;resize,800x600", "resize"}),
        ("rotate", {"rotate,90;resize,800x600"}),
        ("watermark", {"watermark,resize"}),
        ("90", set()),
        ("size", set()),
        ("%", set()),
        ("force_resize", {"force_resize,10x10"}),
        ("forceXresize", set()),
    ],
)
def test_listing_by_operation(jobs: JobStore, wanted: str, found: set[str]) -> None:
    """An operation is found wherever it stands in the list; an argument is not an operation."""
    every = (
        "resize,800x600",
        "rotate,90;resize,800x600",
        "resize",
        "watermark,resize",
        "force_resize,10x10",
        "",
    )
    jobs.add([new_job(operations=operations) for operations in every])
    assert {row.operations for row in jobs.list(Filter(operation=wanted))} == found


def test_counts(jobs: JobStore) -> None:
    """Jobs are counted by status, failed ones by reason."""
    jobs.add([new_job(), new_job()])
    jobs.apply(
        [
            event("job.failed"),
            event("job.failed", reason="delivery_limit"),
            event("job.failed", reason="delivery_limit"),
            event("job.completed"),
        ]
    )
    assert jobs.count_by_status() == {"pending": 2, "failed": 3, "completed": 1}
    assert jobs.failed_by_reason() == {"permanent": 1, "delivery_limit": 2}


def test_the_oldest_waiting_job(jobs: JobStore) -> None:
    """Only jobs that nobody has begun count as waiting."""
    assert jobs.oldest_waiting() is None
    old, young = new_job(created_at=5.0), new_job(created_at=7.0)
    jobs.add([young, old])
    assert jobs.oldest_waiting() == 5.0
    jobs.apply([event("job.started", old.job_id)])
    assert jobs.oldest_waiting() == 7.0


def test_clear_says_how_many_rows_went(jobs: JobStore) -> None:
    """All of them go, and nothing is left to count."""
    jobs.add([new_job(), new_job()])
    assert jobs.clear() == 2
    assert jobs.count_by_status() == {}


def test_the_oldest_queued_job_of_each_kind_is_found(jobs: JobStore) -> None:
    """Jobs are grouped by kind and operations; only those that are queued wait."""
    born = [
        new_job(operations=name, created_at=at) for name, at in (("rotate,90", 5), ("rotate,90", 3), ("", 9))
    ]
    jobs.add([*born, new_job(operations="flip")])
    jobs.mark_queued({entry.job_id: {} for entry in born})
    found = {entry.operations: entry.since for entry in jobs.waiting()}
    assert found == {"rotate,90": 3.0, "": 9.0}


def test_completed_jobs_come_newest_first(jobs: JobStore) -> None:
    """Only what changed after a place in the order of changes, no more than asked for, with its clock."""
    ids = [new_id() for _ in range(3)]
    for number, job_id in enumerate(ids):
        jobs.apply([event("job.completed", job_id, clock={"finished": float(number)})])
    jobs.apply([event("job.failed")])
    found = jobs.completed_since(0, 2)
    assert [(entry.job_id, entry.clock) for entry in found] == [
        (ids[2], {"finished": 2.0}),
        (ids[1], {"finished": 1.0}),
    ]
    assert jobs.completed_since(found[0].seq, 10) == []
