"""The instrument's client and the API agree on priorities, keys and batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.client import ApiClient
from services.common.jobs import Filter
from tests.support.api import Api, picture, running


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


async def test_an_upload_with_a_key_is_sent_twice_and_taken_once(api: Api) -> None:
    """The client's key and priority arrive."""
    async with ApiClient(api.url) as client:
        first = await client.upload(picture(), "größe.jpg", "resize", priority=7, key="one")
        second = await client.upload(picture(), "größe.jpg", "resize", priority=7, key="one")
    [row] = api.table.list(Filter())
    assert (first.status, first.body) == (202, second.body)
    assert (row.priority, row.filename) == (7, "größe.jpg")


async def test_a_batch_is_answered_file_by_file(api: Api) -> None:
    """The client's files arrive in their order."""
    async with ApiClient(api.url) as client:
        sent = await client.upload_batch([("a.jpg", picture()), ("b.txt", b"text")], "rotate,90", priority=2)
        found = await client.get(f"/batches/{sent.body['batch_id']}")
    first, second = sent.body["jobs"]
    assert (first["filename"], second["error"]["code"]) == ("a.jpg", "not_an_image")
    assert (found.body["total"], found.body["jobs"][0]["priority"]) == (1, 2)


async def test_a_text_job_has_the_id_and_priority_of_its_sender(api: Api) -> None:
    """Without an id the API chooses one."""
    async with ApiClient(api.url) as client:
        named = await client.produce({"n": 1}, 0.5, priority=9, job_id="mine")
        other = await client.produce({"n": 2}, 0.5)
    jobs = {job.job_id: job for job in api.jobs("text.jobs")}
    assert named.body["message_id"] == "mine"
    assert jobs["mine"].priority == 9
    assert jobs[other.body["message_id"]].priority == 0
