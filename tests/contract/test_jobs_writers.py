"""The contract of the job table when several programs write to it, or are the first ones at it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path

import pytest

from services.common.errors import DatabaseUnavailable
from services.common.jobs import Filter, JobStore
from tests.contract.conftest import ByHand
from tests.support.examples import event, new_job

WRITES = 500
BOTH = 100
ROUNDS = 10
MEETINGS = 10


def test_a_schema_can_be_made_again(url: str, jobs: JobStore) -> None:
    """A restarted tracker finds its table and keeps the rows."""
    jobs.add([born := new_job()])
    again = JobStore(url)
    again.create_schema()
    again.ping()
    assert again.get(born.job_id) == jobs.get(born.job_id)
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


def test_two_writers_never_fail(url: str, jobs: JobStore) -> None:
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
    assert jobs.count_by_status()["processing"] == WRITES
    api.close()
    tracker.close()


def test_two_trackers_never_give_the_same_seq(url: str, jobs: JobStore) -> None:
    """While one tracker takes over from another, both may write; the order of changes stays one order."""
    stores = (JobStore(url), JobStore(url))

    def write(to: JobStore) -> None:
        for _ in range(WRITES // 2):
            to.apply([event("job.started"), event("job.started")])

    assert _together(lambda: write(stores[0]), lambda: write(stores[1])) == []
    rows = jobs.list(Filter(limit=10 * WRITES))
    assert sorted(row.seq for row in rows) == list(range(1, 2 * WRITES + 1))
    for other in stores:
        other.close()


def test_writers_may_meet_in_any_order(url: str, jobs: JobStore) -> None:
    """The API writes from the first row to the last, the tracker from the last: neither blocks the other."""
    api, tracker = JobStore(url), JobStore(url)
    rounds = [[new_job() for _ in range(BOTH)] for _ in range(ROUNDS)]
    together = threading.Barrier(2, timeout=20)

    def announce() -> None:
        for born in rounds:
            together.wait()
            api.write(born, {job.job_id: {} for job in born})

    def follow() -> None:
        for born in rounds:
            together.wait()
            tracker.apply([event("job.started", job.job_id) for job in reversed(born)])

    assert _together(announce, follow) == []
    assert jobs.count_by_status() == {"processing": BOTH * ROUNDS}
    api.close()
    tracker.close()


def _insert(url: str, count: int) -> None:
    jobs = JobStore(url)
    for _ in range(count):
        jobs.add([new_job()])
    jobs.close()


def test_writers_may_be_processes(url: str, jobs: JobStore) -> None:
    """Two programs on one database file do not lock each other out."""
    processes = [get_context("spawn").Process(target=_insert, args=(url, WRITES)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert jobs.count_by_status() == {"pending": 2 * WRITES}


def test_programs_may_meet_at_a_new_database(url: str, by_hand: ByHand) -> None:
    """Several programs may be the first ones at a database, in the same moment."""
    for _ in range(MEETINGS):
        by_hand("drop view images", "drop table jobs")
        stores = [JobStore(url) for _ in range(4)]
        failures = _together(*(jobs.create_schema for jobs in stores))
        assert failures == []
        for jobs in stores:
            jobs.ping()
            jobs.close()


def test_programs_may_meet_at_a_new_file(tmp_path: Path) -> None:
    """The same with SQLite, whose file does not exist before."""
    for number in range(MEETINGS):
        stores = [JobStore(f"sqlite:///{tmp_path}/{number}.db") for _ in range(4)]
        assert _together(*(jobs.create_schema for jobs in stores)) == []
        for jobs in stores:
            jobs.ping()
            jobs.close()


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """Every way to fail has one name."""
    missing = JobStore(f"sqlite:///{tmp_path}/no/such/folder/lab.db")
    empty = JobStore(f"sqlite:///{tmp_path}/empty.db")
    nobody = JobStore("postgresql+psycopg://lab:secret@127.0.0.1:1/lab")  # nothing listens on that port
    _all_unavailable([missing.ping, missing.create_schema, empty.ping, lambda: empty.add([new_job()])])
    _all_unavailable([nobody.ping, nobody.create_schema, lambda: nobody.add([new_job()])])
    for store in (missing, empty, nobody):
        store.close()


def _all_unavailable(calls: Sequence[Callable[[], object]]) -> None:
    for call in calls:
        with pytest.raises(DatabaseUnavailable):
            call()
