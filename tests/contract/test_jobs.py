"""The contract of the job table, on SQLite and (where LAB_TEST_DATABASE_URL is set) on PostgreSQL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import DatabaseUnavailable
from services.common.jobs import Filter, JobRow, JobStore
from services.common.messages import Event, JobEvent
from tests.support.examples import event, new_id, new_job

POSTGRESQL = "LAB_TEST_DATABASE_URL"
WRITES = 500


@pytest.fixture(scope="module", params=["sqlite", *(["postgresql"] if POSTGRESQL in os.environ else [])])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the database of each kind that is there."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('jobs')}/lab.db"
    return os.environ[POSTGRESQL]


@pytest.fixture(scope="module")
def shared(url: str) -> Iterator[JobStore]:
    """Give one job table to the tests of this file."""
    _drop(url)
    store = JobStore(url)
    store.create_schema()
    yield store
    store.close()
    _drop(url)


def _drop(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("drop view if exists images"))
        connection.execute(sa.text("drop table if exists jobs"))
    engine.dispose()


@pytest.fixture
def store(shared: JobStore) -> JobStore:
    """Give an empty job table."""
    shared.clear()
    return shared


def _get(store: JobStore, job_id: str) -> JobRow:
    row = store.get(job_id)
    assert row is not None
    return row


def test_a_new_job_is_pending(store: JobStore) -> None:
    """What the API knows at a job's birth is in its row."""
    born = new_job(operations="rotate,90", priority=3)
    store.add([born])
    row = _get(store, born.job_id)
    assert (row.status, row.generation, row.attempt, row.seq) == ("pending", 1, 0, 0)
    assert (row.filename, row.operations, row.original_path) == ("cat.jpg", "rotate,90", "originals/cat")
    assert (row.file_size, row.priority, row.created_at) == (12345, 3, 100.0)
    assert row.clock == {"accepted": 100.0}
    assert row.outputs == ()


def test_an_unknown_job_is_none(store: JobStore) -> None:
    """A job that is not in the table is no error."""
    assert store.get("nobody") is None


def test_a_job_is_born_once(store: JobStore) -> None:
    """Adding the same job again leaves its row as it is."""
    born = new_job()
    store.add([born])
    store.apply([event("job.started", born.job_id)])
    store.add([new_job(job_id=born.job_id, filename="other.jpg"), other := new_job()])
    row = _get(store, born.job_id)
    assert (row.status, row.filename) == ("processing", "cat.jpg")
    assert _get(store, other.job_id).status == "pending"


def test_nothing_can_be_written_too(store: JobStore) -> None:
    """Empty batches are fine, and change nothing."""
    store.add([])
    store.mark_queued({})
    assert store.apply([]) == []
    assert store.list(Filter()) == []


def test_a_pending_job_becomes_queued(store: JobStore) -> None:
    """After the broker's confirm the row says so, with the stage clock."""
    born = new_job()
    store.add([born])
    store.mark_queued({born.job_id: {"accepted": 100.0, "published": 101.0}, "nobody": {}})
    row = _get(store, born.job_id)
    assert (row.status, row.attempt) == ("queued", 1)
    assert row.clock == {"accepted": 100.0, "published": 101.0}


@pytest.mark.parametrize("name", ["job.started", "job.retrying", "job.completed", "job.failed"])
def test_a_worker_may_be_faster_than_the_confirm(store: JobStore, name: JobEvent) -> None:
    """A job that went on already is not set back to queued."""
    born = new_job()
    store.add([born])
    store.apply([event(name, born.job_id)])
    before = _get(store, born.job_id)
    store.mark_queued({born.job_id: {}})
    assert _get(store, born.job_id) == before


def test_events_move_a_job(store: JobStore) -> None:
    """Each event of a job's life is seen in its row."""
    born = new_job()
    store.add([born])
    seen = []
    for happened in (
        event("job.queued", born.job_id),
        event("job.started", born.job_id),
        event("job.retrying", born.job_id),
        event("job.started", born.job_id, attempt=2, worker="worker-2"),
        event("job.completed", born.job_id, attempt=2, worker="worker-2", at=2000.0),
    ):
        store.apply([happened])
        row = _get(store, born.job_id)
        seen.append((row.status, row.attempt, row.error_code))
    assert seen == [
        ("queued", 1, None),
        ("processing", 1, None),
        ("retrying", 1, "storage_unavailable"),
        ("processing", 2, None),
        ("completed", 2, None),
    ]
    row = _get(store, born.job_id)
    assert (row.worker, row.queue, row.processed_at) == ("worker-2", "image.jobs", 2000.0)
    assert (row.processing_started_at, row.file_size) == (102.0, 12345)
    assert (row.thumbnail_path, row.thumbnail_size) == ("results/j/thumbnail", 900)
    assert [output.name for output in row.outputs] == ["result", "thumbnail"]


def test_an_event_of_an_unknown_job_makes_its_row(store: JobStore) -> None:
    """Events may be there before the API's insert; the insert then changes nothing."""
    failed = event("job.failed", clock={"accepted": 50.0})
    store.apply([failed])
    store.add([new_job(job_id=failed.job_id)])
    row = _get(store, failed.job_id)
    assert (row.status, row.reason, row.error_code) == ("failed", "permanent", "broken_image")
    assert (row.created_at, row.operations) == (50.0, "resize,800x600")


def test_a_repeated_or_older_event_changes_nothing(store: JobStore) -> None:
    """The table tells which events moved a row."""
    started = event("job.started")
    changes = store.apply([started, started, event("job.queued", started.job_id)])
    assert [(change.status, change.attempt) for change in changes] == [("processing", 1)]
    before = _get(store, started.job_id)
    assert store.apply([started]) == []
    assert _get(store, started.job_id) == before


@pytest.mark.parametrize("end", ["job.completed", "job.failed"])
@pytest.mark.parametrize("name", ["job.started", "job.retrying", "job.completed", "job.failed"])
def test_an_end_is_final_in_its_generation(store: JobStore, end: JobEvent, name: JobEvent) -> None:
    """After completed or failed no later attempt of the same generation counts."""
    ended = event(end)
    store.apply([ended])
    before = _get(store, ended.job_id)
    assert store.apply([event(name, ended.job_id, attempt=9)]) == []
    assert _get(store, ended.job_id) == before


def test_a_new_generation_begins_anew(store: JobStore) -> None:
    """A replayed job shows nothing of its earlier end, and can end differently."""
    ended = event("job.failed", worker="worker-1", clock={"accepted": 1.0, "started": 2.0})
    store.apply([ended, event("job.notified", ended.job_id)])
    store.apply([event("job.queued", ended.job_id, generation=2)])
    row = _get(store, ended.job_id)
    assert (row.status, row.generation, row.attempt) == ("queued", 2, 1)
    assert (row.reason, row.error_code, row.error_message) == (None, None, None)
    assert (row.worker, row.processing_started_at, row.processed_at) == (None, None, None)
    assert "notified" not in row.clock
    store.apply([event("job.completed", ended.job_id, generation=2)])
    assert _get(store, ended.job_id).status == "completed"


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


@settings(deadline=None)
@given(data=st.data())
def test_the_order_of_events_does_not_matter(shared: JobStore, data: st.DataObject) -> None:
    """Any order, with any repetitions, in any batches ends in the same row."""
    life = data.draw(_life())
    shared.apply(life)
    expected = _visible(_get(shared, life[0].job_id))
    shared.clear()
    repeated = data.draw(st.lists(st.sampled_from(life), max_size=5))
    shuffled = data.draw(st.permutations([*life, *repeated]))
    cut = data.draw(st.integers(0, len(shuffled)))
    shared.apply(shuffled[:cut])
    shared.apply(shuffled[cut:])
    assert _visible(_get(shared, life[0].job_id)) == expected


def test_a_notice_may_come_before_the_end(store: JobStore) -> None:
    """When the notice of a job overtakes its end, neither is forgotten."""
    started = event("job.started")
    store.apply([started, event("job.notified", started.job_id, at=3000.0)])
    store.apply([event("job.completed", started.job_id)])
    row = _get(store, started.job_id)
    assert (row.status, row.clock["notified"]) == ("completed", 3000.0)


def test_the_first_notice_counts(store: JobStore) -> None:
    """A job is notified once; the status stays, live clients are told."""
    ended = event("job.completed")
    store.apply([ended])
    changes = store.apply([event("job.notified", ended.job_id, at=3000.0)])
    assert [change.status for change in changes] == ["completed"]
    assert store.apply([event("job.notified", ended.job_id, at=4000.0)]) == []
    assert _get(store, ended.job_id).clock["notified"] == 3000.0


def test_a_late_notice_of_an_earlier_generation_is_ignored(store: JobStore) -> None:
    """A notice belongs to the generation that it was sent for."""
    ended = event("job.failed")
    store.apply([ended, event("job.queued", ended.job_id, generation=2)])
    assert store.apply([event("job.notified", ended.job_id)]) == []
    assert "notified" not in _get(store, ended.job_id).clock


def test_each_change_has_the_next_seq(store: JobStore) -> None:
    """Changes are numbered in rising order, notices after moves, and a row has the number of its latest."""
    one, two = new_id(), new_id()
    changes = store.apply([event("job.started", one), event("job.started", two)])
    changes += store.apply([event("job.completed", one), event("job.completed", one)])
    changes += store.apply([event("job.notified", one), event("job.failed", two)])
    assert [change.seq for change in changes] == [1, 2, 3, 4, 5]
    assert [change.job_id for change in changes] == [one, two, one, two, one]
    assert (_get(store, one).seq, _get(store, two).seq) == (5, 4)


def test_a_job_that_the_api_marked_queued_is_announced_once(store: JobStore) -> None:
    """The event after the API's own mark moves no status, but gives the row its place in the order."""
    born = new_job()
    store.add([born])
    store.mark_queued({born.job_id: {}})
    queued = event("job.queued", born.job_id)
    assert [change.status for change in store.apply([queued, queued])] == ["queued"]
    assert _get(store, born.job_id).seq == 1


def test_listing_is_newest_first_and_pages(store: JobStore) -> None:
    """A cursor walks through all rows, each once."""
    born = [new_job() for _ in range(7)]
    store.add(born)
    pages: list[list[str]] = []
    cursor = None
    while rows := store.list(Filter(limit=3, cursor=cursor)):
        pages.append([row.job_id for row in rows])
        cursor = rows[-1].id
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [job_id for page in pages for job_id in page] == [job.job_id for job in reversed(born)]


def test_listing_by_status_and_by_id(store: JobStore) -> None:
    """Filters narrow, and go together."""
    born = [new_job() for _ in range(3)]
    store.add(born)
    store.apply([event("job.completed", born[0].job_id), event("job.completed", born[1].job_id)])
    completed = store.list(Filter(status="completed"))
    assert {row.job_id for row in completed} == {born[0].job_id, born[1].job_id}
    narrowed = store.list(Filter(status="completed", job_ids=[born[1].job_id, born[2].job_id]))
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
def test_listing_by_operation(store: JobStore, wanted: str, found: set[str]) -> None:
    """An operation is found wherever it stands in the list; an argument is not an operation."""
    every = (
        "resize,800x600",
        "rotate,90;resize,800x600",
        "resize",
        "watermark,resize",
        "force_resize,10x10",
        "",
    )
    store.add([new_job(operations=operations) for operations in every])
    assert {row.operations for row in store.list(Filter(operation=wanted))} == found


def test_counts(store: JobStore) -> None:
    """Jobs are counted by status, failed ones by reason."""
    store.add([new_job(), new_job()])
    store.apply(
        [
            event("job.failed"),
            event("job.failed", reason="delivery_limit"),
            event("job.failed", reason="delivery_limit"),
            event("job.completed"),
        ]
    )
    assert store.count_by_status() == {"pending": 2, "failed": 3, "completed": 1}
    assert store.failed_by_reason() == {"permanent": 1, "delivery_limit": 2}


def test_the_oldest_waiting_job(store: JobStore) -> None:
    """Only jobs that nobody has begun count as waiting."""
    assert store.oldest_waiting() is None
    old, young = new_job(created_at=5.0), new_job(created_at=7.0)
    store.add([young, old])
    assert store.oldest_waiting() == 5.0
    store.apply([event("job.started", old.job_id)])
    assert store.oldest_waiting() == 7.0


def test_clear_says_how_many_rows_went(store: JobStore) -> None:
    """An emptied table counts from the beginning again."""
    store.add([new_job(), new_job()])
    assert store.clear() == 2
    assert store.apply([event("job.started")])[0].seq == 1


def test_a_schema_can_be_made_again(url: str, store: JobStore) -> None:
    """A restarted tracker finds its table and keeps the rows."""
    store.add([born := new_job()])
    again = JobStore(url)
    again.create_schema()
    again.ping()
    assert again.get(born.job_id) == store.get(born.job_id)
    again.close()


def _together(*works: Callable[[], object]) -> list[BaseException]:
    failures: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (handed to the test)
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_two_writers_never_fail(url: str, store: JobStore) -> None:
    """The API's inserts and the tracker's updates go on at once, and none of them is turned away."""
    api, tracker = JobStore(url), JobStore(url)
    born = [new_job() for _ in range(WRITES)]

    def insert() -> None:
        for job in born:
            api.add([job])

    def update() -> None:
        for job in born:
            tracker.apply([event("job.started", job.job_id)])

    assert _together(insert, update) == []
    assert store.count_by_status()["processing"] == WRITES
    api.close()
    tracker.close()


def test_two_trackers_never_give_the_same_seq(url: str, store: JobStore) -> None:
    """While one tracker takes over from another, both may write; the order of changes stays one order."""
    stores = (JobStore(url), JobStore(url))

    def write(to: JobStore) -> None:
        for _ in range(WRITES // 2):
            to.apply([event("job.started"), event("job.started")])

    assert _together(lambda: write(stores[0]), lambda: write(stores[1])) == []
    rows = store.list(Filter(limit=10 * WRITES))
    assert sorted(row.seq for row in rows) == list(range(1, 2 * WRITES + 1))
    for other in stores:
        other.close()


def _insert(url: str, count: int) -> None:
    store = JobStore(url)
    for _ in range(count):
        store.add([new_job()])
    store.close()


def test_writers_may_be_processes(url: str, store: JobStore) -> None:
    """Two programs on one database file do not lock each other out."""
    processes = [get_context("spawn").Process(target=_insert, args=(url, WRITES)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert store.count_by_status() == {"pending": 2 * WRITES}


def test_programs_may_meet_at_a_new_database(tmp_path: Path) -> None:
    """Several programs may be the first ones at a database file, in the same moment."""
    for number in range(20):
        url = f"sqlite:///{tmp_path}/{number}.db"
        stores = [JobStore(url) for _ in range(4)]
        failures = _together(*(store.create_schema for store in stores))
        assert failures == []
        for store in stores:
            store.ping()
            store.close()


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """Every way to fail has one name."""
    missing = JobStore(f"sqlite:///{tmp_path}/no/such/folder/lab.db")
    empty = JobStore(f"sqlite:///{tmp_path}/empty.db")
    _all_unavailable([missing.ping, missing.create_schema, empty.ping, lambda: empty.add([new_job()])])
    missing.close()
    empty.close()


def _all_unavailable(calls: Sequence[Callable[[], object]]) -> None:
    for call in calls:
        with pytest.raises(DatabaseUnavailable):
            call()
