"""The dead-letter queue over HTTP: looking changes nothing, a replay is a new generation."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.common.messages import Event, Job
from services.common.topology import DEAD_LETTER
from tests.support.api import Api, answer, code, running
from tests.support.letters import bury, failed_job


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


def depth(api: Api) -> int:
    """Return how many dead letters there are."""
    return api.run(api.broker.depth(DEAD_LETTER)).ready


def test_looking_leaves_the_letters_where_they_are(api: Api) -> None:
    """A list shows reason, attempt and origin, and the queue is as long as before."""
    job_id = failed_job(api)
    [letter] = answer(api.get("/dlq"))["letters"]
    assert (letter["job_id"], letter["reason"], letter["origin"]) == (job_id, "permanent", "image.jobs")
    assert (letter["error_code"], letter["attempt"], letter["replays"]) == ("truncated_image", 1, 0)
    assert depth(api) == 1


def test_letters_are_listed_oldest_first(api: Api) -> None:
    """Whatever a look before did to their order in the queue."""
    for age in (2, 3, 1):
        bury(api, b"{}", f"letter-{age}", at=1_700_000_000.0 - age)
    for _ in range(2):
        letters = answer(api.get("/dlq?limit=2"))["letters"]
        assert [letter["job_id"] for letter in letters] == ["letter-3", "letter-2"]


def test_one_letter_shows_its_headers_and_its_job(api: Api) -> None:
    """What is in the message is there to be read."""
    job_id = failed_job(api)
    found = answer(api.get(f"/dlq/{job_id}"))
    assert found["headers"]["worker"] == "worker-1"
    assert found["job"]["job_id"] == job_id
    assert code(api.get("/dlq/nobody")) == (404, "letter_not_found")


def test_a_replayed_job_is_a_new_generation(api: Api) -> None:
    """The job goes back to its work queue, marked, and its letter is gone."""
    job_id = failed_job(api)
    done = answer(api.post("/dlq/replay", {"ids": [job_id, "nobody"]}))
    assert (done["replayed"], done["job_ids"], done["missing"]) == (1, [job_id], ["nobody"])
    [job] = api.jobs()
    assert (job.job_id, job.generation, job.attempt) == (job_id, 2, 0)
    assert depth(api) == 0
    assert [event.generation for event in api.events() if event.name == "job.queued"] == [1, 2]


def test_a_dry_run_sends_nothing(api: Api) -> None:
    """It says what would be sent."""
    job_id = failed_job(api)
    done = answer(api.post("/dlq/replay", {"all": True, "dry_run": True}))
    assert (done["job_ids"], done["dry_run"]) == ([job_id], True)
    assert api.jobs() == []
    assert depth(api) == 1


def test_a_replay_that_would_take_too_long_leaves_the_rest(api: Api) -> None:
    """At one job in 1000 s the first is sent, and the others are left: nobody waits for them."""
    for _ in range(3):
        failed_job(api)
    done = answer(api.post("/dlq/replay", {"all": True, "rate": 0.001}))
    assert (done["replayed"], done["left"], depth(api)) == (1, 2, 2)


def test_a_message_that_is_no_job_is_skipped(api: Api) -> None:
    """It stays in the queue, and does not hold up the jobs behind it."""
    bury(api, b"not a job", "garbage")
    job_id = failed_job(api)
    done = answer(api.post("/dlq/replay", {"all": True}))
    assert (done["job_ids"], done["skipped"]) == ([job_id], ["garbage"])
    assert depth(api) == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"ids": ["a"], "all": True}, {"all": True, "rate": 0}, {"al": True}, {"all": True, "rate": True}],
)
def test_a_replay_must_say_what_it_means(api: Api, body: object) -> None:
    """Neither, both, no rate at all, or a misspelt field: 400."""
    assert code(api.post("/dlq/replay", body)) == (400, "bad_field")


def test_purging_drops_all_letters(api: Api) -> None:
    """The jobs stay failed."""
    job_id = failed_job(api)
    assert answer(api.http.request("DELETE", f"{api.url}/dlq")) == {"purged": 1}
    assert depth(api) == 0
    assert answer(api.get(f"/status/{job_id}"))["status"] == "failed"


def test_a_failed_job_is_retried_by_hand(api: Api) -> None:
    """Its letter is taken, so that a later replay does not send it once more."""
    job_id = failed_job(api)
    again = api.post(f"/jobs/{job_id}/retry", {})
    assert (again.status, answer(again)["generation"]) == (202, 2)
    assert [job.generation for job in api.jobs()] == [2]
    assert depth(api) == 0


@pytest.mark.parametrize("purged", [False, True])
def test_a_job_is_retried_once_however_often_it_is_asked_for(api: Api, purged: bool) -> None:  # noqa: FBT001
    """Clicks come faster than the tracker tells the row; all of them get the one generation."""
    job_id = failed_job(api)
    if purged:
        api.http.request("DELETE", f"{api.url}/dlq")
    with ThreadPoolExecutor(6) as clicks:
        found = list(clicks.map(lambda _: api.post(f"/jobs/{job_id}/retry", {}), range(6)))
    assert {(each.status, answer(each)["generation"]) for each in found} == {(202, 2)}
    [job] = api.jobs()
    api.table.apply([Event.of(job, "job.failed", attempt=1, clock=job.clock, reason="permanent")])
    assert answer(api.post(f"/jobs/{job_id}/retry", {}))["generation"] == 3


def test_a_purged_image_job_is_retried_from_its_row(api: Api) -> None:
    """The original is still in the store."""
    job_id = failed_job(api)
    api.http.request("DELETE", f"{api.url}/dlq")
    assert answer(api.post(f"/jobs/{job_id}/retry", {}))["generation"] == 2
    [job] = api.jobs()
    assert (job.job_id, job.operations, job.original_key) == (job_id, "resize,800x600", f"originals/{job_id}")


def test_only_failed_jobs_are_retried(api: Api) -> None:
    """A job under way is left alone; an unknown one is not found."""
    job_id = answer(api.upload())["job_id"]
    assert code(api.post(f"/jobs/{job_id}/retry", {})) == (409, "job_not_failed")
    assert code(api.post("/jobs/nobody/retry", {})) == (404, "job_not_found")


def test_a_purged_text_job_cannot_be_retried(api: Api) -> None:
    """Its payload was in the message only."""
    api.post("/produce", {"id": "t1", "payload": 1})
    [job] = api.jobs("text.jobs")
    assert isinstance(job, Job)
    api.table.apply([Event.of(job, "job.failed", attempt=1, clock=job.clock, reason="permanent")])
    assert code(api.post("/jobs/t1/retry", {})) == (409, "job_gone")
