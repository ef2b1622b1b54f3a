"""The classic gallery API on the in-memory twins."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.messages import Event, Output
from services.common.storage import output_key
from tests.support.api import Api, answer, code, picture, running


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


def take(api: Api, field: str = "file", name: str = "photo.jpg") -> int:
    """Upload a picture; return its number."""
    return int(answer(api.form({field: (name, picture())}, "/api/upload"))["id"])


def finish(api: Api) -> bytes:
    """Complete the job that waits; return its thumbnail."""
    [job] = api.jobs()
    made = picture(16, 12)
    key = output_key(job.job_id, "thumbnail")
    api.store.put(key, io.BytesIO(made), len(made), "image/jpeg")
    output = Output(name="thumbnail", key=key, content_type="image/jpeg", size=len(made), width=16, height=12)
    api.table.apply([Event.of(job, "job.completed", attempt=1, clock=job.clock, outputs=(output,))])
    return made


@pytest.mark.parametrize("field", ["file", "image"])
def test_an_upload_is_answered_with_a_number(api: Api, field: str) -> None:
    """The answer has the classic keys, and the job is on its way."""
    response = api.form({field: ("photo.jpg", picture())}, "/api/upload")
    found = answer(response)
    assert response.status == 202
    assert set(found) == {"id", "filename", "status", "message"}
    assert (type(found["id"]), found["filename"], found["status"]) == (int, "photo.jpg", "pending")
    assert response.headers["Location"] == f"/api/images/{found['id']}"
    assert len(api.jobs()) == 1


def test_an_image_has_the_classic_columns(api: Api) -> None:
    """Until the job is done, there is no thumbnail and no end."""
    number = take(api)
    found = answer(api.get(f"/api/images/{number}"))
    assert set(found) == {
        *("id", "filename", "status", "original_path", "thumbnail_path", "created_at", "processed_at"),
    }
    assert (found["id"], found["status"], found["thumbnail_path"]) == (number, "pending", None)
    assert found["original_path"] in api.store.objects
    assert found["processed_at"] is None
    assert code(api.get(f"/api/thumbnails/{number}")) == (404, "no_such_output")


def test_a_finished_image_has_its_thumbnail(api: Api) -> None:
    """Path, time and bytes are there, and an ETag saves the second download."""
    number = take(api)
    made = finish(api)
    found = answer(api.get(f"/api/images/{number}"))
    assert (found["status"], found["processed_at"] is None) == ("completed", False)
    assert found["thumbnail_path"] in api.store.objects
    response = api.get(f"/api/thumbnails/{number}")
    assert (response.data, response.headers["Content-Type"]) == (made, "image/jpeg")
    assert api.get(f"/api/thumbnails/{number}", If_None_Match=response.headers["ETag"]).status == 304


def test_a_failed_image_says_so(api: Api) -> None:
    """Its status is failed, and it has no thumbnail."""
    number = take(api)
    [job] = api.jobs()
    api.table.apply([Event.of(job, "job.failed", attempt=1, clock=job.clock, reason="permanent")])
    assert answer(api.get(f"/api/images/{number}"))["status"] == "failed"
    assert code(api.get(f"/api/thumbnails/{number}")) == (404, "no_such_output")


@pytest.mark.parametrize("number", [0, -1, 2, 99, 2**31 - 1, 2**31, 10**30])
def test_an_unknown_number_is_a_404(api: Api, number: int) -> None:
    """So is one that no database could hold."""
    take(api)
    assert code(api.get(f"/api/images/{number}")) == (404, "job_not_found")
    assert code(api.get(f"/api/thumbnails/{number}")) == (404, "job_not_found")


@pytest.mark.parametrize("number", ["one", "1.5", "1e3", "%00"])
def test_an_id_is_a_number(api: Api, number: str) -> None:
    """Anything else is a 400."""
    assert code(api.get(f"/api/images/{number}")) == (400, "bad_field")


def test_a_text_job_is_no_image(api: Api) -> None:
    """Text jobs are numbered in the same table, and not shown here."""
    api.post("/produce", {"payload": 1})
    assert code(api.get("/api/images/1")) == (404, "job_not_found")
    assert take(api) == 2


def test_refusals_are_those_of_an_upload(api: Api) -> None:
    """What is no image, or no single file, is refused in the same words."""
    assert code(api.form({"file": ("a.jpg", b"text")}, "/api/upload")) == (415, "not_an_image")
    assert code(api.form({"other": ("a.jpg", picture())}, "/api/upload")) == (400, "one_file")


def test_the_same_key_is_the_same_image(api: Api) -> None:
    """An idempotency key holds here too."""
    data = picture()
    numbers = {
        answer(api.form({"file": ("a.jpg", data)}, "/api/upload", key="order-17"))["id"] for _ in range(2)
    }
    assert len(numbers) == 1
