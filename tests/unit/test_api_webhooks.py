"""callback_url and the delivery log on the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.common.messages import Job
from tests.support.api import Api, answer, code, picture, running
from tests.support.examples import attempt, event, new_job

URL = "https://example.org/hook?of=lab"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


def upload(api: Api, **fields: str) -> Any:  # noqa: ANN401  (a response)
    return api.form({"file": ("photo.jpg", picture()), **fields})


def test_an_upload_names_its_receiver(api: Api) -> None:
    """The URL is in the job and in its row; the job's links lead to the delivery log."""
    found = answer(upload(api, callback_url=f" {URL} "))
    [job] = api.jobs()
    row = api.table.get(job.job_id)
    assert job.callback_url == URL
    assert row is not None
    assert row.callback_url == URL
    assert {happened.callback_url for happened in api.events()} == {URL}
    shown = answer(api.get(f"/jobs/{found['job_id']}"))
    assert shown["links"]["webhooks"] == f"/jobs/{found['job_id']}/webhooks"
    assert "example.org" not in str(shown)


def test_a_job_without_a_receiver_has_no_link(api: Api) -> None:
    """Nobody is told of it, and its log says so."""
    found = answer(upload(api))
    assert "webhooks" not in answer(api.get(f"/jobs/{found['job_id']}"))["links"]
    log = answer(api.get(f"/jobs/{found['job_id']}/webhooks"))
    assert log == {"job_id": found["job_id"], "callback_url": None, "status": "none", "attempts": []}


def test_batches_and_text_jobs_have_it_too(api: Api) -> None:
    """One URL for all files of a batch; one for each text job."""
    api.form({"files": ("a.jpg", picture()), "callback_url": URL}, path="/upload/batch")
    api.post("/produce", {"payload": 1, "callback_url": URL})
    api.post("/batch-produce", {"messages": [{"payload": 2}, {"payload": 3, "callback_url": URL}]})
    assert [job.callback_url for job in api.jobs()] == [URL]
    assert [job.callback_url for job in api.jobs("text.jobs")] == [URL, "", URL]


@pytest.mark.parametrize(
    "url",
    [
        "example.org/hook",
        "ftp://example.org/",
        "http://user:password@example.org/",
        "http://example.org:25/",
        "http://127.0.0.1:8000/",
        "http://169.254.169.254/",
        "http://example.org/ x",
        "http://example.org/" + "x" * 2000,
    ],
)
def test_what_no_webhook_is_sent_to(api: Api, url: str) -> None:
    """A URL that cannot be is refused before anything is accepted."""
    assert code(upload(api, callback_url=url)) == (400, "bad_callback_url")
    refused = api.post("/produce", {"payload": 1, "callback_url": url})
    assert refused.status == 400
    assert answer(refused)["error"]["code"] in ("bad_callback_url", "bad_field")
    assert api.jobs() == []
    assert api.jobs("text.jobs") == []


def test_private_targets_when_they_are_allowed(tmp_path: Path) -> None:
    """The setting lets a class send webhooks to its own machine."""
    with running(tmp_path, webhook_allow_private=True) as api:
        assert upload(api, callback_url="http://127.0.0.1:8070/").status == 202
        assert code(upload(api, callback_url="http://169.254.169.254/")) == (400, "bad_callback_url")


def test_another_receiver_is_another_upload(api: Api) -> None:
    """Under one idempotency key the callback_url counts as the operations do."""
    first = {"file": ("photo.jpg", data := picture()), "callback_url": URL}
    assert api.form(first, key="k").status == 202
    assert api.form(first, key="k").status == 202
    other = {"file": ("photo.jpg", data), "callback_url": f"{URL}&more=1"}
    assert code(api.form(other, key="k")) == (409, "idempotency_conflict")
    assert {job.callback_url for job in api.jobs()} == {URL}


def test_a_second_chance_is_told_to_the_same_receiver(api: Api) -> None:
    """A job that is sent again from its row still knows where to call."""
    failed = event("job.failed", callback_url=URL)
    api.table.apply([failed])
    assert api.post(f"/jobs/{failed.job_id}/retry", None).status == 202
    [again] = api.jobs()
    assert isinstance(again, Job)
    assert (again.generation, again.callback_url) == (2, URL)


def test_the_log_of_a_job(api: Api) -> None:
    """Every attempt, oldest first, with what the receiver answered; the status is that of the last one."""
    born = new_job(callback_url=URL)
    path = f"/jobs/{born.job_id}/webhooks"
    api.table.add([born])
    assert answer(api.get(path))["status"] == "waiting"
    api.table.note_attempts([attempt(born.job_id)])
    found = answer(api.get(path))
    assert (found["status"], found["callback_url"]) == ("retrying", URL)
    assert found["attempts"] == [
        {
            "webhook_id": f"{born.job_id}:1",
            "type": "job.completed",
            "generation": 1,
            "attempt": 1,
            "timestamp": "1970-01-01T00:16:41.000+00:00",
            "duration_ms": 250.0,
            "outcome": "retrying",
            "status_code": 500,
            "error_code": "bad_status",
            "error_message": "the receiver answered 500",
            "retry_in_s": 1.0,
        }
    ]
    taken = attempt(born.job_id, 2, outcome="delivered", status_code=204, error_code=None, retry_in_s=None)
    api.table.note_attempts([taken])
    assert [each["outcome"] for each in answer(api.get(path))["attempts"]] == ["retrying", "delivered"]
    assert answer(api.get(path))["status"] == "delivered"


def test_a_new_generation_waits_anew(api: Api) -> None:
    """What was told about an earlier generation stays in the log and says nothing of this one."""
    failed = event("job.failed", callback_url=URL)
    api.table.apply([failed])
    api.table.note_attempts([attempt(failed.job_id, outcome="failed")])
    path = f"/jobs/{failed.job_id}/webhooks"
    assert answer(api.get(path))["status"] == "failed"
    api.table.apply([event("job.queued", failed.job_id, generation=2)])
    assert (answer(api.get(path))["status"], len(answer(api.get(path))["attempts"])) == ("waiting", 1)


def test_the_log_of_nobody(api: Api) -> None:
    """An unknown job is a 404."""
    assert code(api.get("/jobs/nobody/webhooks")) == (404, "job_not_found")
