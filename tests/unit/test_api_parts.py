"""The API's parts by themselves: grouped commits, late stores, views, file names, settings."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api import __main__ as program
from services.api.downloads import disposition, matches, output_name
from services.api.errors import PROBLEMS
from services.api.forms import MAX_NAME, clean_name
from services.api.objects import Objects
from services.api.rows import Rows
from services.api.settings import ApiSettings
from services.api.views import durations_ms, iso, split
from services.common.errors import DatabaseUnavailable, ObjectMissing, StorageUnavailable
from services.common.jobs import JobStore, NewJob
from services.common.messages import Clock
from services.common.testing import MemoryStore
from tests.support.api import picture
from tests.support.examples import new_job


class GatedTable(JobStore):
    """A job table whose commits wait for a gate, and are counted."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.commits: list[int] = []

    def write(self, jobs: Sequence[NewJob], clocks: Mapping[str, Clock]) -> None:
        """Wait, then commit."""
        self.begun.set()
        assert self.gate.wait(10)
        self.commits.append(len(jobs) + len(clocks))
        super().write(jobs, clocks)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[GatedTable]:
    table = GatedTable(f"sqlite:///{tmp_path}/lab.db")
    yield table
    table.close()


def test_writes_that_come_during_a_commit_share_the_next(table: GatedTable) -> None:
    """Twenty writes behind a slow commit are one transaction, births and confirms together."""
    table.create_schema()

    async def work() -> None:
        rows = Rows(table)
        first = asyncio.create_task(rows.add([new_job(job_id="first")]))
        await asyncio.to_thread(table.begun.wait, 10)
        others = [asyncio.create_task(rows.add([new_job(job_id=f"{number}")])) for number in range(19)]
        others.append(asyncio.create_task(rows.mark_queued("first", {"accepted": 1.0})))
        await asyncio.sleep(0)
        table.gate.set()
        await asyncio.gather(first, *others)
        rows.close()

    asyncio.run(work())
    assert table.commits == [1, 20]
    row = table.get("first")
    assert row is not None
    assert row.status == "queued"


def test_a_commit_that_fails_fails_for_all_in_it(table: GatedTable) -> None:
    """Without a job table every writer is told, and the next write is tried again."""
    table.gate.set()

    async def work() -> list[BaseException | None]:
        rows = Rows(table)
        found = await asyncio.gather(
            *(rows.add([new_job(job_id=f"{number}")]) for number in range(3)), return_exceptions=True
        )
        table.create_schema()
        await rows.add([new_job(job_id="later")])
        rows.close()
        return found

    assert {type(found) for found in asyncio.run(work())} == {DatabaseUnavailable}
    assert table.get("later") is not None


class LateStore(MemoryStore):
    """A store whose puts wait for a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.stored = threading.Event()

    def put(self, key: str, data: BinaryIO, size: int, content_type: str) -> None:
        """Wait, then store."""
        assert self.gate.wait(10)
        super().put(key, data, size, content_type)
        self.stored.set()


def test_an_original_that_is_stored_too_late_goes_again() -> None:
    """A put that outlives its time-out is a 503; when it succeeds after all, the object is deleted."""
    store = LateStore()
    data = picture()

    async def work() -> None:
        objects = Objects(store, max_pixels=10**6, timeout_s=0.05)
        with pytest.raises(StorageUnavailable, match=r"no answer from the store in 0\.05 s"):
            await objects.store_original("late", io.BytesIO(data), len(data))
        store.gate.set()
        await asyncio.to_thread(store.stored.wait, 10)
        while store.objects:  # noqa: ASYNC110 - the deletion tells nobody
            await asyncio.sleep(0.01)
        await objects.drain()

    asyncio.run(asyncio.wait_for(work(), 10))


class Bucketless(MemoryStore):
    """A store that comes up late, and loses its bucket once."""

    def __init__(self) -> None:
        super().__init__()
        self.available = False
        self.made = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def ensure_bucket(self) -> None:
        """Make the bucket, if the store is there."""
        super().ensure_bucket()
        self.loop.call_soon_threadsafe(self.made.set)


def test_the_bucket_is_made_when_the_store_comes_and_when_it_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The API waits for the store, and makes the bucket again after an upload that failed."""
    monkeypatch.setattr("services.api.objects.BUCKET_RETRY_S", 0.01)

    async def work() -> None:
        store = Bucketless()
        objects = Objects(store, max_pixels=10**6)
        keeping = asyncio.create_task(objects.keep_bucket())
        await asyncio.sleep(0)
        store.available = True
        await store.made.wait()
        store.made.clear()
        store.available = False
        with pytest.raises(StorageUnavailable):
            await objects.store_original("a", io.BytesIO(picture()), 10)
        store.available = True
        await store.made.wait()
        keeping.cancel()
        await objects.drain()

    asyncio.run(asyncio.wait_for(work(), 10))


def test_a_missing_object_is_raised_by_open() -> None:
    """A key that is not there is told before any byte is sent."""

    async def work() -> None:
        objects = Objects(MemoryStore(), max_pixels=1)
        with pytest.raises(ObjectMissing):
            await objects.open("nothing")
        await objects.drain()

    asyncio.run(work())


def test_stages_that_are_over_have_a_duration() -> None:
    """Durations are milliseconds between two stages; what has not happened is left out."""
    clock: Clock = {"accepted": 10.0, "published": 10.5, "started": 12.0, "finished": 14.25}
    assert durations_ms(clock) == {"accept": 500, "queue_wait": 1500, "total": 4250}
    assert durations_ms({}) == {}


def test_times_and_operations_are_shown_plainly() -> None:
    """Times are ISO 8601 in UTC with milliseconds; operations are a list."""
    assert iso(1_700_000_000.25) == "2023-11-14T22:13:20.250+00:00"
    assert split("rotate,90;resize,800x600") == ["rotate,90", "resize,800x600"]
    assert split("") == []


@given(st.text())
def test_a_clean_name_is_always_a_name(sent: str) -> None:
    """Whatever is sent, a name is short, printable and no path."""
    name = clean_name(sent)
    assert 0 < len(name) <= MAX_NAME
    assert name.isprintable()
    assert not set(name) & set("/\\")
    assert name not in {".", ".."}


@given(st.text())
def test_no_name_breaks_out_of_its_header(sent: str) -> None:
    """A Content-Disposition is one line of ASCII, with the quotes that it should have."""
    header = disposition(clean_name(sent))
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


def test_outputs_are_named_after_their_original() -> None:
    """The name of an output has the extension of what it became."""
    assert output_name("a.b.png", "result", "image/jpeg") == "a.b-result.jpg"
    assert output_name("photo", "thumbnail", "image/webp") == "photo-thumbnail.webp"


@pytest.mark.parametrize(
    ("header", "matched"),
    [('"a"', True), ('"b", "a"', True), ('W/"a"', True), ("*", True), ('"b"', False), ("", False)],
)
def test_if_none_match_is_a_list(header: str, matched: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Any of the tags may match, weakly."""
    assert matches(header, '"a"') is matched


def test_every_problem_has_a_next_step() -> None:
    """Each code has a status that says error, and a hint that is a sentence."""
    for problem in PROBLEMS.values():
        assert 400 <= problem.status < 600
        assert problem.hint


def test_every_setting_has_a_help_text() -> None:
    """Each setting says what it is."""
    assert all(field.description for field in ApiSettings.model_fields.values())


def test_wrong_settings_end_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A setting that makes no sense is named, and the program does not start."""
    monkeypatch.setenv("LAB_MAX_UPLOAD_BYTES", "many")
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 2
    assert "LAB_MAX_UPLOAD_BYTES" in capsys.readouterr().err
