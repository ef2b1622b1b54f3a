"""GET /status, /jobs and downloads on the in-memory twins."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.common.messages import Event, JobEvent, Output
from services.common.storage import output_key
from tests.support.api import Api, answer, code, picture, running


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


def uploaded(api: Api, **fields: str) -> str:
    return str(answer(api.upload(**fields))["job_id"])


def apply(api: Api, job_id: str, name: JobEvent, **more: Any) -> None:  # noqa: ANN401  (fields of an event)
    """Let an event happen to a job."""
    row = api.table.get(job_id)
    assert row is not None
    clock = {**row.clock, "started": row.clock["published"] + 0.25}
    event = Event(
        name=name,
        job_id=job_id,
        kind=row.kind,
        generation=1,
        attempt=1,
        at=clock["started"] + 1,
        clock=clock,
        worker="worker-1",
        queue="image.jobs",
        **more,
    )
    assert api.table.apply([event])


def complete(api: Api, job_id: str) -> bytes:
    """Complete a job with a result; return its bytes."""
    data = picture(32, 24, "PNG")
    key = output_key(job_id, "result")
    api.store.put(key, io.BytesIO(data), len(data), "image/png")
    made = Output(name="result", key=key, content_type="image/png", size=len(data), width=32, height=24)
    apply(api, job_id, "job.completed", outputs=(made,))
    return data


def test_status_right_after_the_upload(api: Api) -> None:
    """The row is there as soon as the 202 is, and tells what is known of the job."""
    job_id = uploaded(api, operations="rotate,90|resize")
    found = answer(api.get(f"/status/{job_id}"))
    assert (found["job_id"], found["id"], found["kind"]) == (job_id, job_id, "image")
    assert (found["status"], found["attempts"], found["generation"]) == ("queued", 1, 1)
    assert found["operations"] == ["rotate,90", "resize,800x600"]
    assert (found["file_name"], found["file_size"]) == ("photo.jpg", len(picture()))
    assert found["timestamp"].endswith("+00:00")
    assert set(found["clock"]) == {"accepted", "published"}
    assert set(found["durations_ms"]) == {"accept"}
    assert (found["error_code"], found["outputs"]) == (None, [])
    assert answer(api.get(f"/jobs/{job_id}")) == found


def test_status_of_a_completed_job(api: Api) -> None:
    """Stages, worker and outputs are shown once they are known."""
    job_id = uploaded(api)
    complete(api, job_id)
    found = answer(api.get(f"/status/{job_id}"))
    assert (found["status"], found["worker"], found["queue"]) == ("completed", "worker-1", "image.jobs")
    assert found["durations_ms"]["queue_wait"] == pytest.approx(250, abs=0.01)
    assert found["outputs"][0]["link"] == found["links"]["result"] == f"/jobs/{job_id}/result"


@pytest.mark.parametrize("path", ["/status/none", "/jobs/none", "/jobs/none/original", "/jobs/none/result"])
def test_an_unknown_job_is_a_404(api: Api, path: str) -> None:
    """Every route of a job says when there is no such job."""
    assert code(api.get(path)) == (404, "job_not_found")


def test_jobs_are_listed_page_by_page(api: Api) -> None:
    """Newest first; the cursor of a page asks for the next, and the last page has none."""
    ids = [uploaded(api) for _ in range(5)]
    first = answer(api.get("/jobs?limit=3"))
    second = answer(api.get(f"/jobs?limit=3&cursor={first['next_cursor']}"))
    listed = [job["job_id"] for page in (first, second) for job in page["jobs"]]
    assert listed == ids[::-1]
    assert len(first["jobs"]) == 3
    assert second["next_cursor"] is None
    assert answer(api.get("/jobs?limit=5"))["next_cursor"] is None


def test_jobs_are_filtered(api: Api) -> None:
    """By status, and by an operation anywhere in the job."""
    turned = uploaded(api, operations="resize,rotate,90")
    plain = uploaded(api)
    apply(api, plain, "job.started")
    by = {
        query: [job["job_id"] for job in answer(api.get(f"/jobs?{query}"))["jobs"]]
        for query in ("operation=rotate", "operation=resize", "status=processing", "status=failed")
    }
    assert by == {
        "operation=rotate": [turned],
        "operation=resize": [plain, turned],
        "status=processing": [plain],
        "status=failed": [],
    }


@pytest.mark.parametrize(
    "query",
    ["status=lost", "limit=0", "limit=201", "limit=x", "cursor=-1", "cursor=99999999999999", "operation="],
)
def test_bad_filters_are_a_400(api: Api, query: str) -> None:
    """A filter that makes no sense is named."""
    response = api.get(f"/jobs?{query}")
    assert code(response) == (400, "bad_field")
    assert query.partition("=")[0] in answer(response)["error"]["message"]


def test_the_original_comes_back(api: Api) -> None:
    """The original is there at once: same bytes, its type by content, its name in every script."""
    sent = picture(kind="PNG")
    job_id = answer(api.form({"file": ('Grüße"\r\n.jpg', sent)}))["job_id"]
    response = api.get(f"/jobs/{job_id}/original")
    assert response.data == sent
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Content-Length"] == str(len(sent))
    assert "Gr%C3%BC%C3%9Fe" in response.headers["Content-Disposition"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_result_is_sent_once(api: Api) -> None:
    """The ETag of a result, sent back, gets a 304 without the bytes."""
    job_id = uploaded(api)
    data = complete(api, job_id)
    response = api.get(f"/jobs/{job_id}/result")
    assert response.data == data
    assert response.headers["Content-Type"] == "image/png"
    assert 'filename="photo-result.png"' in response.headers["Content-Disposition"]
    again = api.get(f"/jobs/{job_id}/result", If_None_Match=f'"other", W/{response.headers["ETag"]}')
    assert (again.status, again.data) == (304, b"")
    assert again.headers["ETag"] == response.headers["ETag"]


def test_a_result_that_is_not_there_yet(api: Api) -> None:
    """Before the end a download is a 409 that says where the job is."""
    response = api.get(f"/jobs/{uploaded(api)}/result")
    assert code(response) == (409, "job_not_finished")
    assert answer(response)["status"] == "queued"


def test_the_result_of_a_failed_job(api: Api) -> None:
    """A failed job has no result, and says why."""
    job_id = uploaded(api)
    apply(api, job_id, "job.failed", reason="permanent", error_code="broken_image", error_message="Broken.")
    response = api.get(f"/jobs/{job_id}/thumbnail")
    found = answer(response)
    assert code(response) == (409, "job_failed")
    assert (found["reason"], found["error_code"]) == ("permanent", "broken_image")
    assert "Broken." in found["error"]["message"]


def test_an_output_that_no_job_makes(api: Api) -> None:
    """A name that is none of the job's outputs is a 404, as is any output of a text job."""
    job_id = uploaded(api)
    complete(api, job_id)
    text_id = answer(api.post("/produce", {"payload": 1}))["message_id"]
    for path in (f"{job_id}/poster", f"{text_id}/result", f"{text_id}/original"):
        assert code(api.get(f"/jobs/{path}")) == (404, "no_such_output")
    assert set(answer(api.get(f"/jobs/{text_id}"))["links"]) == {"status", "job"}


def test_an_object_that_is_gone(api: Api) -> None:
    """An object deleted from the store is a 404, a store that is away a 503."""
    job_id = uploaded(api)
    api.store.delete("originals/")
    assert code(api.get(f"/jobs/{job_id}/original")) == (404, "object_missing")
    api.store.available = False
    assert code(api.get(f"/jobs/{job_id}/original")) == (503, "storage_unavailable")
