"""POST /upload/batch and GET /batches on the in-memory twins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.api.forms import SPOOL_BYTES
from services.common.jobs import Filter
from services.common.messages import Event
from services.common.testing import MemoryBroker
from services.common.topology import declarations
from tests.support.api import Api, Unconfirming, answer, code, picture, running


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


def test_each_file_becomes_a_job(api: Api) -> None:
    """The 202 names the batch, and the jobs in the order of the files; all have the same orders."""
    sent = [picture(10 + number, 10) for number in range(5)]
    response = api.batch(*sent, operations="rotate,90", priority="3")
    found = answer(response)
    assert response.status == 202
    assert response.headers["Location"] == f"/batches/{found['batch_id']}"
    assert [job["filename"] for job in found["jobs"]] == [f"{number}.jpg" for number in range(5)]
    jobs = {job.job_id: job for job in api.jobs()}
    for job, data in zip(found["jobs"], sent, strict=True):
        taken = jobs[job["job_id"]]
        assert (taken.operations, taken.priority) == ("rotate,90", 3)
        assert api.store.objects[taken.original_key] == (data, "image/jpeg")


@pytest.mark.parametrize("field", ["files", "file", "image"])
def test_any_field_takes_files(api: Api, field: str) -> None:
    """A field may come as often as there are files."""
    found = answer(api.form([(field, ("a.jpg", picture())), (field, ("b.jpg", picture()))], "/upload/batch"))
    assert len(found["jobs"]) == 2


def test_files_of_all_sizes_arrive_whole(tmp_path: Path) -> None:
    """Files above and below what is kept in memory come out of the shared file as they went in."""
    sent = [picture() + bytes([number]) * size for number, size in enumerate((0, SPOOL_BYTES * 2, 1, 70_000))]
    with running(tmp_path) as api:
        jobs = answer(api.batch(*sent))["jobs"]
        stored = [api.store.objects[f"originals/{job['job_id']}"][0] for job in jobs]
    assert stored == sent


def test_a_refused_file_has_its_error_in_its_place(tmp_path: Path) -> None:
    """The others are accepted."""
    with running(tmp_path, max_upload_bytes=5000) as api:
        response = api.batch(picture(), b"text", picture() + bytes(5000), picture())
        first, second, third, fourth = answer(response)["jobs"]
        assert response.status == 202
        assert {first["status"], fourth["status"]} == {"queued"}
        assert (second["filename"], second["error"]["code"]) == ("1.jpg", "not_an_image")
        assert (third["filename"], third["error"]["code"]) == ("2.jpg", "file_too_large")
        assert set(second["error"]) == {"code", "message", "hint"}
        assert len(api.table.list(Filter())) == len(api.store.objects) == 2


def test_when_all_are_refused_the_first_error_is_the_answer(tmp_path: Path) -> None:
    """Its status too; the errors of the others stand beside it."""
    with running(tmp_path, max_upload_bytes=5000) as api:
        response = api.batch(bytes(5001), b"text")
        assert code(response) == (413, "file_too_large")
        assert [job["error"]["code"] for job in answer(response)["jobs"]] == [
            "file_too_large",
            "not_an_image",
        ]
        assert api.get(f"/batches/{answer(response)['batch_id']}").status == 404


def test_progress_is_counted(api: Api) -> None:
    """How many jobs there are, of each status, and done; a page of them."""
    found = answer(api.batch(picture(), picture(), picture()))
    done, failed, _ = api.jobs()
    api.table.apply([Event.of(done, "job.completed", attempt=1, clock=done.clock)])
    api.table.apply([Event.of(failed, "job.failed", attempt=1, clock=failed.clock)])
    progress = answer(api.get(f"/batches/{found['batch_id']}?limit=2"))
    assert (progress["total"], progress["done"]) == (3, 2)
    assert {name: count for name, count in progress["counts"].items() if count} == {
        "completed": 1,
        "failed": 1,
        "queued": 1,
    }
    rest = answer(api.get(f"/batches/{found['batch_id']}?cursor={progress['next_cursor']}"))
    listed = [job["job_id"] for job in progress["jobs"] + rest["jobs"]]
    assert sorted(listed) == sorted(job["job_id"] for job in found["jobs"])
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("name", ["nothing", "%00", "a%20b", "x" * 300])
def test_an_unknown_batch_is_not_found(api: Api, name: str) -> None:
    """What is no batch, or can be none, is a 404."""
    api.upload()
    assert code(api.get(f"/batches/{name}")) == (404, "batch_not_found")


def test_a_batch_is_bounded(tmp_path: Path) -> None:
    """Too many files, or too many bytes in all, are a 413; nothing is left."""
    with running(tmp_path, max_batch_files=3, max_batch_bytes=50_000) as api:
        assert api.batch(*[picture()] * 3).status == 202
        assert code(api.batch(*[picture()] * 4)) == (413, "too_many_files")
        assert code(api.batch(picture(), bytes(200_000))) == (413, "batch_too_large")
        assert len(api.store.objects) == 3


def test_a_batch_needs_a_file(api: Api) -> None:
    """A form without files is a 400; so are text in their place, bad operations and a bad priority."""
    assert code(api.form({"operations": "resize"}, "/upload/batch")) == (400, "no_files")
    assert code(api.form({"files": "text"}, "/upload/batch")) == (400, "one_file")
    assert code(api.batch(picture(), operations="nonsense")) == (400, "bad_operation")
    assert code(api.batch(picture(), priority="10")) == (400, "bad_field")
    assert not api.store.objects


def test_a_batch_with_a_key_comes_once(api: Api) -> None:
    """The same key gives the same batch and the same jobs; a file that differs is refused in its place."""
    files = [picture(10 + number, 10) for number in range(3)]
    first = answer(api.batch(*files, key="monday"))
    again = answer(api.batch(*files, key="monday"))
    assert again == first
    assert len(api.jobs()) == 3
    changed = answer(api.batch(files[0], picture(50, 50), files[2], key="monday"))
    assert changed["batch_id"] == first["batch_id"]
    assert changed["jobs"][1]["error"]["code"] == "idempotency_conflict"
    assert answer(api.batch(*files, key="tuesday"))["batch_id"] != first["batch_id"]


def test_jobs_without_a_confirm_are_named(tmp_path: Path) -> None:
    """Their entries carry the job_id and the unknown outcome; with no other job, the answer is the 503."""
    with running(tmp_path, broker=lambda: Unconfirming(declarations())) as api:
        response = api.batch(picture(), picture())
        assert code(response) == (503, "unconfirmed")
        found = answer(response)
        assert {job["outcome"] for job in found["jobs"]} == {"unknown"}
        progress = answer(api.get(f"/batches/{found['batch_id']}"))
        assert (progress["total"], progress["counts"]["pending"]) == (2, 2)


def test_without_a_broker_no_batch_is_read(tmp_path: Path) -> None:
    """No connection is a 503 at once."""

    def away() -> MemoryBroker:
        broker = MemoryBroker(declarations())
        broker.connected = False
        return broker

    with running(tmp_path, broker=away) as api:
        assert code(api.batch(picture())) == (503, "broker_unavailable")
