"""POST /produce and /batch-produce on the in-memory twins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from services.common.broker import Outgoing
from services.common.jobs import Filter
from services.common.messages import Job
from services.common.testing import MemoryBroker
from services.common.topology import JOBS, declarations
from tests.support.api import Api, answer, code, running, unconfirmed


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


class Moody(MemoryBroker):
    """A broker that confirms jobs unless their payload is "lost"."""

    def publish(self, message: Outgoing) -> asyncio.Future[None]:
        """Route a message, and break the connection before the confirm of some."""
        outcome = super().publish(message)
        lost = message.exchange == JOBS and Job.decode(message.body).payload == "lost"
        return unconfirmed() if lost else outcome


def test_a_message_becomes_a_job(api: Api) -> None:
    """The 201 names the job; it has a row, and its message carries the payload and the time."""
    response = api.post("/produce", {"payload": {"n": [1, None]}, "processing_time": 0.5})
    found = answer(response)
    [job] = api.jobs("text.jobs")
    row = api.table.get(found["message_id"])
    assert response.status == 201
    assert set(found) == {"status", "message_id", "timestamp"}
    assert found["status"] == "success"
    assert datetime.fromisoformat(found["timestamp"]).tzinfo is not None
    assert (job.job_id, job.kind) == (found["message_id"], "text")
    assert (job.payload, job.processing_time_s) == ({"n": [1, None]}, 0.5)
    assert row is not None
    assert (row.kind, row.status) == ("text", "queued")
    assert api.events()[0].name == "job.queued"


def test_a_message_has_a_priority(api: Api) -> None:
    """It is carried to the message of the broker; 0 when it is missing."""
    api.post("/produce", {"payload": 1, "priority": 9})
    api.post("/batch-produce", {"messages": [{"payload": 2}, {"payload": 3, "priority": 4}]})
    assert {job.payload: job.priority for job in api.jobs("text.jobs")} == {1: 9, 2: 0, 3: 4}


def test_a_batch_becomes_jobs_in_one_go(api: Api) -> None:
    """The 201 counts the messages, and names them in their order."""
    sent = {"messages": [{"id": f"m-{number}", "payload": number} for number in range(50)]}
    found = answer(api.post("/batch-produce", sent))
    ids = [f"m-{number}" for number in range(50)]
    assert found == {"status": "success", "messages_produced": 50, "message_ids": ids}
    assert {job.job_id for job in api.jobs("text.jobs")} == set(ids)
    assert {row.status for row in api.table.list(Filter(job_ids=ids))} == {"queued"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "bad_json"),
        (b"", "bad_json"),
        (b'{"payload": "\\ud800"}', "bad_json"),
        (b'{"payload":' + b"[" * 3000 + b"]" * 3000 + b"}", "bad_json"),
        ([], "bad_field"),
        ({}, "bad_field"),
        ({"payload": 1, "id": "a b"}, "bad_field"),
        ({"payload": 1, "id": 7}, "bad_field"),
        ({"payload": 1, "id": "x" * 65}, "bad_field"),
        ({"payload": 1, "priority": 10}, "bad_field"),
        ({"payload": 1, "priority": "1"}, "bad_field"),
        ({"payload": 1, "priority": 1.5}, "bad_field"),
        ({"payload": 1, "processing_time": "1"}, "bad_field"),
        ({"payload": 1, "processing_time": True}, "bad_field"),
        ({"payload": 1, "processing_time": -1}, "bad_field"),
        (b'{"payload": 1, "processing_time": NaN}', "bad_field"),
        ({"payload": 1, "processing_time": 6}, "processing_time_too_long"),
    ],
)
def test_what_is_no_message_is_a_400(api: Api, body: object, expected: str) -> None:
    """Bodies that are no JSON, and fields that are not what they must be, are refused; no row is left."""
    assert code(api.post("/produce", body)) == (400, expected)
    assert not api.table.list(Filter())


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": [{"payload": 1}, {"id": "x"}]},
        {"messages": [{"payload": 1, "id": "x"}, {"payload": 2, "id": "x"}]},
        {"messages": [{"payload": 1}] * 1001},
    ],
)
def test_a_batch_is_good_as_a_whole_or_refused(api: Api, body: object) -> None:
    """One bad message, a repeated id, none or too many: nothing of the batch is taken."""
    assert code(api.post("/batch-produce", body)) == (400, "bad_field")
    assert not api.table.list(Filter())


def test_the_cap_is_named(api: Api) -> None:
    """A processing_time over the cap names the setting that holds it."""
    found = answer(api.post("/produce", {"payload": 1, "processing_time": 60}))
    assert "LAB_MAX_PROCESSING_TIME_S" in found["error"]["message"]


def test_payloads_are_bounded(tmp_path: Path) -> None:
    """A payload up to the limit passes, one byte more is a 413."""
    with running(tmp_path, max_payload_bytes=10) as api:
        assert api.post("/produce", {"payload": "x" * 8}).status == 201
        assert code(api.post("/produce", {"payload": "x" * 9})) == (413, "payload_too_large")


def test_bodies_are_bounded(api: Api) -> None:
    """A body over the limit is a 413 before it is parsed."""
    assert code(api.post("/produce", b" " * (4 * 1024 * 1024 + 1))) == (413, "body_too_large")


def test_an_id_names_one_job(api: Api) -> None:
    """The id of a job that the broker has is taken: a 409, and nothing is sent again."""
    assert api.post("/produce", {"id": "one", "payload": 1}).status == 201
    assert code(api.post("/produce", {"id": "one", "payload": 2})) == (409, "job_exists")
    response = api.post("/batch-produce", {"messages": [{"payload": 1}, {"id": "one", "payload": 3}]})
    assert code(response) == (409, "job_exists")
    assert answer(response)["job_ids"] == ["one"]
    assert len(api.jobs("text.jobs")) == 1


def test_an_unconfirmed_id_may_come_again(tmp_path: Path) -> None:
    """Without a confirm the same id is sent again, as the same job."""
    with running(tmp_path, broker=lambda: Moody(declarations())) as api:
        response = api.post("/produce", {"id": "one", "payload": "lost"})
        assert code(response) == (503, "unconfirmed")
        assert (answer(response)["job_id"], answer(response)["outcome"]) == ("one", "unknown")
        assert api.post("/produce", {"id": "one", "payload": "kept"}).status == 201
        assert [job.job_id for job in api.jobs("text.jobs")] == ["one", "one"]
        assert len(api.table.list(Filter())) == 1


def test_a_batch_tells_which_messages_are_unknown(tmp_path: Path) -> None:
    """When some confirms are missing, the 503 counts the others and names these."""
    sent = [{"id": "a", "payload": 1}, {"id": "b", "payload": "lost"}, {"id": "c", "payload": 2}]
    with running(tmp_path, broker=lambda: Moody(declarations())) as api:
        response = api.post("/batch-produce", {"messages": sent})
        found = answer(response)
        assert code(response) == (503, "unconfirmed")
        assert (found["outcome"], found["job_ids"], found["messages_produced"]) == ("unknown", ["b"], 2)
        statuses = {row.job_id: row.status for row in api.table.list(Filter())}
    assert statuses == {"a": "queued", "b": "pending", "c": "queued"}


def test_without_a_broker_nothing_is_taken(api: Api) -> None:
    """No connection to the broker is a 503, and no row is left."""
    api.broker.connected = False
    assert code(api.post("/produce", {"payload": 1})) == (503, "broker_unavailable")
    assert not api.table.list(Filter())
