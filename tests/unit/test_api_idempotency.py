"""Idempotency keys and priorities on the in-memory twins."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest
import urllib3

from services.common.broker import Outgoing
from services.common.jobs import Filter
from services.common.messages import Event
from services.common.testing import MemoryBroker, MemoryStore
from services.common.topology import JOBS, declarations
from tests.support.api import Api, answer, code, picture, running, unconfirmed


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


class Forgetful(MemoryBroker):
    """A broker that does not confirm the first job."""

    lost = False

    def publish(self, message: Outgoing) -> asyncio.Future[None]:
        """Route a message; break the connection before the first confirm."""
        outcome = super().publish(message)
        if message.exchange != JOBS or self.lost:
            return outcome
        self.lost = True
        return unconfirmed()


def send(api: Api, key: str, data: bytes = picture(), **fields: str) -> urllib3.BaseHTTPResponse:
    return api.form({"file": ("photo.jpg", data), **fields}, key=key)


def test_the_same_key_and_file_is_the_same_job(api: Api) -> None:
    """The second answer is a 202 with the same job_id; there is one row, one object and one message."""
    first, second = send(api, "k1"), send(api, "k1")
    assert (first.status, second.status) == (202, 202)
    assert answer(first) == answer(second)
    assert len(api.table.list(Filter())) == len(api.store.objects) == len(api.jobs()) == 1


def test_the_answer_has_the_present_status(api: Api) -> None:
    """A job that has ended meanwhile is not begun again."""
    send(api, "k1")
    [job] = api.jobs()
    api.table.apply([Event.of(job, "job.completed", attempt=1, clock=job.clock)])
    assert answer(send(api, "k1"))["status"] == "completed"
    assert api.jobs() == []


def test_operations_are_compared_by_their_meaning(api: Api) -> None:
    """Two ways to write the same operations are the same upload."""
    first = answer(send(api, "k1", operations="resize"))
    assert answer(send(api, "k1", operations=" resize,800x600 "))["job_id"] == first["job_id"]


@pytest.mark.parametrize(
    ("data", "fields"), [(picture(20, 20), {}), (picture(), {"operations": "rotate,90"})]
)
def test_something_else_under_the_same_key_is_a_409(api: Api, data: bytes, fields: dict[str, str]) -> None:
    """Another file or other operations are refused, and the first job keeps its original."""
    sent = picture()
    job_id = answer(send(api, "k1", sent))["job_id"]
    assert code(send(api, "k1", data, **fields)) == (409, "idempotency_conflict")
    assert api.get(f"/jobs/{job_id}/original").data == sent
    assert len(api.store.objects) == 1


def test_another_key_is_another_job(api: Api) -> None:
    """The key decides, not the file."""
    assert answer(send(api, "k1"))["job_id"] != answer(send(api, "k2"))["job_id"]


def test_without_a_confirm_the_same_job_is_published_again(tmp_path: Path) -> None:
    """A 503 with an unknown outcome is settled by sending the same again."""
    with running(tmp_path, broker=lambda: Forgetful(declarations())) as api:
        lost = send(api, "k1")
        assert code(lost) == (503, "unconfirmed")
        found = answer(send(api, "k1"))
        assert (found["job_id"], found["status"]) == (answer(lost)["job_id"], "queued")
        assert [job.job_id for job in api.jobs()] == [found["job_id"]] * 2
        assert len(api.table.list(Filter())) == 1


def test_a_refused_upload_does_not_use_its_key_up(api: Api) -> None:
    """What left no job may be sent again in another form."""
    assert code(send(api, "k1", b"text")) == (415, "not_an_image")
    api.store.available = False
    assert code(send(api, "k1")) == (503, "storage_unavailable")
    api.store.available = True
    assert send(api, "k1").status == 202


def test_requests_side_by_side_with_one_key_are_one_job(api: Api) -> None:
    """Twelve at once end as one row, one object and one message."""
    with ThreadPoolExecutor(12) as clients:
        found = list(clients.map(lambda _: send(api, "k1"), range(12)))
    assert {response.status for response in found} == {202}
    assert len({answer(response)["job_id"] for response in found}) == 1
    assert len(api.table.list(Filter())) == len(api.store.objects) == len(api.jobs()) == 1


class Meeting(MemoryStore):
    """A store where two puts wait for each other, as those of two replicas may."""

    def __init__(self) -> None:
        super().__init__()
        self.both = threading.Barrier(2, timeout=10)

    def put(self, key: str, data: BinaryIO, size: int, content_type: str) -> None:
        """Store, and wait for the other."""
        super().put(key, data, size, content_type)
        self.both.wait()


def test_replicas_that_meet_under_one_key_keep_one_job(tmp_path: Path) -> None:
    """With two files under one key at two replicas, one is accepted with its own bytes, one is a 409."""
    store = Meeting()
    files = {"left": picture(10, 10), "right": picture(20, 20)}
    with (
        running(tmp_path, store=lambda: store) as left,
        running(tmp_path, store=lambda: store) as right,
        ThreadPoolExecutor(2) as clients,
    ):
        sides = {"left": left, "right": right}
        found = dict(
            zip(sides, clients.map(lambda side: send(sides[side], "k1", files[side]), sides), strict=True)
        )
        assert sorted(response.status for response in found.values()) == [202, 409]
        [(won, response)] = [(side, each) for side, each in found.items() if each.status == 202]
        job_id = answer(response)["job_id"]
        assert left.get(f"/jobs/{job_id}/original").data == files[won]
        assert len(left.table.list(Filter())) == 1


@pytest.mark.parametrize("key", ["", "x" * 201, "tab\there", "gr\xfc\xdfe"])
def test_a_key_is_printable_ascii(api: Api, key: str) -> None:
    """1 to 200 characters, else a 400."""
    form = {"file": ("photo.jpg", picture())}
    response = api.http.request("POST", f"{api.url}/upload", fields=form, headers={"Idempotency-Key": key})
    assert code(response) == (400, "bad_field")
    assert not api.store.objects


@pytest.mark.parametrize("key", ["~", "x" * 200, "an order: 17/4 (again)"])
def test_any_printable_key_is_good(api: Api, key: str) -> None:
    """Blanks and signs are part of a key."""
    assert send(api, key).status == 202


def test_a_priority_travels_with_the_job(api: Api) -> None:
    """It is in the row and in the message; 0 when it is missing."""
    for sent, kept in (({"priority": "9"}, 9), ({}, 0), ({"priority": ""}, 0)):
        job_id = answer(api.upload(**sent))["job_id"]
        [job] = api.jobs()
        assert job.priority == answer(api.get(f"/status/{job_id}"))["priority"] == kept


@pytest.mark.parametrize("priority", ["10", "-1", "1.0", "high", "\u0663", "1\n"])
def test_a_priority_is_one_digit(api: Api, priority: str) -> None:
    """Anything else is a 400, and leaves nothing."""
    assert code(api.upload(priority=priority)) == (400, "bad_field")
    assert not api.store.objects
