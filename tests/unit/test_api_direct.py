"""Direct uploads on the in-memory twins: announced, brought, checked, enqueued once, or ended."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from services.api.remote import BLOCK_BYTES, MAX_BLOCKS, remote_file
from services.common.jobs import Filter
from services.common.storage import upload_key
from services.common.testing import MemoryBroker, MemoryStore
from services.common.topology import declarations
from services.worker.processors import NotAnImage
from test_images import generate_sample
from tests.checkout import eventually
from tests.support.api import Api, Unconfirming, answer, code, picture, running
from tests.support.direct import WANTED, announce, bring, complete, refusal, row, track


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


def test_an_announcement_is_answered_with_a_url(api: Api) -> None:
    """The answer says where to, with what, until when, and what comes then; the job is pending."""
    response = api.post("/upload/url", {**WANTED, "filename": "../a/photo.jpg", "size": 2000, "priority": 7})
    found = answer(response)
    job_id = found["job_id"]
    assert response.status == 201
    assert (found["id"], found["filename"], found["status"]) == (job_id, "photo.jpg", "pending")
    assert (found["method"], found["key"], found["bucket"]) == ("PUT", f"uploads/{job_id}", "lab")
    assert found["headers"] == {"Content-Type": "image/jpeg", "Content-Length": "2000"}
    assert found["operations"] == ["resize,100x100"]
    assert found["url"].startswith("memory:///uploads/")
    assert found["links"]["complete"] == f"/upload/{job_id}/complete"
    status = answer(api.get(f"/status/{job_id}"))
    assert (status["status"], status["priority"], status["file_name"]) == ("pending", 7, "photo.jpg")
    assert (api.jobs(), api.events()) == ([], [])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"content_type": "text/html"}, (400, "bad_field")),
        ({"content_type": "image/jpg"}, (400, "bad_field")),
        ({"filename": ""}, (400, "bad_field")),
        ({"size": 0}, (400, "bad_field")),
        ({"size": "2000"}, (400, "bad_field")),
        ({"priority": 10}, (400, "bad_field")),
        ({"more": 1}, (400, "bad_field")),
        ({"operations": "explode"}, (400, "bad_operation")),
        ({"operations": "sleep,5;sleep,5"}, (400, "processing_time_too_long")),
        ({"size": 20 * 1024 * 1024 + 1}, (413, "file_too_large")),
        ({"filename": "x" * 20_000}, (413, "body_too_large")),
    ],
)
def test_bad_announcements_are_refused(
    api: Api, changed: dict[str, object], expected: tuple[int, str]
) -> None:
    """What could be known to be wrong beforehand is, and leaves nothing."""
    assert code(api.post("/upload/url", {**WANTED, **changed})) == expected
    assert api.table.list(Filter()) == []


def test_a_complete_upload_is_a_job_as_any_other(api: Api) -> None:
    """The file is where the client cannot change it, the row knows it, and the message goes out."""
    job_id = announce(api, priority=3)
    sent = bring(api, job_id)
    response = complete(api, job_id)
    assert (response.status, answer(response)["status"]) == (202, "queued")
    [job] = api.jobs()
    found = row(api, job_id)
    assert (job.job_id, job.priority, job.operations) == (job_id, 3, "resize,100x100")
    assert api.store.objects[job.original_key] == (sent, "image/jpeg")
    assert (found.status, found.file_size, found.original_path) == ("queued", len(sent), job.original_key)
    assert found.created_at == job.clock["accepted"]
    assert api.get(f"/jobs/{job_id}/original").data == sent
    eventually(lambda: upload_key(job_id) not in api.store.objects)


def test_complete_may_be_said_again(api: Api) -> None:
    """The second answer is a 202 with the present status, and there is one message."""
    job_id = announce(api)
    bring(api, job_id)
    complete(api, job_id)
    [job] = api.jobs()
    assert answer(complete(api, job_id))["status"] == "queued"
    track(api)
    assert api.jobs() == []
    assert job.job_id == job_id


def test_many_who_hear_of_it_make_one_job(tmp_path: Path) -> None:
    """Requests to two replicas at once all get the same answer, and one of them enqueues."""
    shared, broker = MemoryStore(), []

    def make() -> MemoryBroker:
        broker.append(MemoryBroker(declarations()))
        return broker[-1]

    with (
        running(tmp_path, store=lambda: shared, broker=make) as left,
        running(tmp_path, store=lambda: shared, broker=make) as right,
        ThreadPoolExecutor(12) as clients,
    ):
        ids = [announce(left) for _ in range(4)]
        for job_id in ids:
            bring(left, job_id)
        turns = [(api, job_id) for job_id in ids for api in (left, right) * 3]
        found = list(clients.map(lambda turn: complete(*turn), turns))
        assert {response.status for response in found} == {202}
        sent = [job.job_id for api in (left, right) for job in api.jobs()]
        assert sorted(sent) == sorted(ids)


def test_without_the_file_it_waits(api: Api) -> None:
    """Complete before the file has come is a 409 that changes nothing; afterwards it works."""
    job_id = announce(api)
    response = complete(api, job_id)
    assert refusal(response) == (409, "upload_missing")
    assert answer(response)["job_id"] == job_id
    bring(api, job_id)
    assert complete(api, job_id).status == 202


TRUNCATED = generate_sample.corrupt("truncated")


@pytest.mark.parametrize(
    ("data", "content_type", "announced", "expected"),
    [
        pytest.param(b"text", "image/jpeg", {}, (415, "not_an_image"), id="no image"),
        pytest.param(b"", "image/jpeg", {}, (415, "not_an_image"), id="empty"),
        pytest.param(
            generate_sample.corrupt("bomb"), "image/png", {"content_type": "image/png"},
            (413, "too_many_pixels"), id="pixels",
        ),
        pytest.param(picture(kind="PNG"), "image/jpeg", {}, (409, "upload_differs"), id="another format"),
        pytest.param(picture(), "text/html", {}, (409, "upload_differs"), id="another type"),
        pytest.param(picture(), "image/jpeg", {"size": 5}, (409, "upload_differs"), id="another size"),
        pytest.param(picture() + bytes(10_000), "image/jpeg", {}, (413, "file_too_large"), id="too large"),
    ],
)  # fmt: skip
def test_another_file_than_announced_ends_the_job(
    tmp_path: Path, data: bytes, content_type: str, announced: dict[str, object], expected: tuple[int, str]
) -> None:
    """The answer says what is wrong, now and later; the job has failed for it, and the file is gone."""
    with running(tmp_path, max_upload_bytes=10_000) as api:
        job_id = announce(api, **announced)
        bring(api, job_id, data, content_type)
        assert refusal(complete(api, job_id)) == expected
        assert refusal(complete(api, job_id)) == expected
        track(api)
        assert refusal(complete(api, job_id)) == expected
        found = row(api, job_id)
        assert (found.status, found.reason, found.error_code) == ("failed", "upload_refused", expected[1])
        assert api.jobs() == []
        eventually(lambda: not api.store.objects)
        assert code(api.post(f"/jobs/{job_id}/retry", b"")) == (409, "job_gone")


class Counting(MemoryStore):
    """A store that counts the bytes that are read of a part."""

    read_bytes = 0

    def read(self, key: str, start: int, length: int) -> bytes:
        """Read, and count."""
        self.read_bytes += length
        return super().read(key, start, length)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_format_is_looked_into(tmp_path: Path, kind: str) -> None:
    """A header that lies anywhere in a file of many blocks is found, and little more than it is read."""
    data, store = io.BytesIO(), Counting()
    Image.open(io.BytesIO(generate_sample.noise(1000, 800))).convert("L").save(data, kind)
    assert len(data.getvalue()) > 4 * BLOCK_BYTES
    with running(tmp_path, store=lambda: store) as api:
        job_id = announce(api, content_type=f"image/{kind.lower()}")
        bring(api, job_id, data.getvalue(), f"image/{kind.lower()}")
        assert complete(api, job_id).status == 202
    assert store.read_bytes <= 3 * BLOCK_BYTES


def test_a_header_without_end_is_given_up() -> None:
    """A file that would have to be read all over is no image."""
    store, size = MemoryStore(), (MAX_BLOCKS + 1) * BLOCK_BYTES
    store.put("k", io.BytesIO(bytes(size)), size, "image/jpeg")
    file = remote_file(store, "k", size)
    file.seek(size - 1)
    assert file.read(5) == b"\0"
    file.seek(0)
    with pytest.raises(NotAnImage):
        file.read()


def test_a_truncated_file_is_let_through(api: Api) -> None:
    """As with any upload: its header is good, and the worker finds out."""
    job_id = announce(api)
    bring(api, job_id, TRUNCATED)
    assert complete(api, job_id).status == 202


def test_a_job_that_was_not_announced_cannot_be_completed(api: Api) -> None:
    """An unknown id is a 404, a text job a 409; an ordinary upload says how it is doing."""
    api.post("/produce", {"id": "text", "payload": 1})
    uploaded = answer(api.upload())["job_id"]
    assert code(complete(api, "nobody")) == (404, "job_not_found")
    assert code(complete(api, "text")) == (409, "upload_not_announced")
    assert answer(complete(api, uploaded))["status"] == "queued"
    assert len(api.jobs()) == 1


def test_a_pending_upload_of_another_kind_cannot_be_completed(tmp_path: Path) -> None:
    """An upload whose confirm is missing is nothing that complete could mend."""
    with running(tmp_path, broker=lambda: Unconfirming(declarations())) as api:
        job_id = answer(api.upload())["job_id"]
        assert code(complete(api, job_id)) == (409, "upload_not_announced")
