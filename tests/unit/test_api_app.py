"""What all routes share: errors, metrics, health, queues and the index."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter

from services.api.app import VERSION
from services.api.routes import index
from services.common.broker import Outgoing
from services.common.topology import DEAD, JOBS, retry_queue
from tests.support.api import Api, answer, code, running


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


def message(exchange: str, key: str) -> Outgoing:
    return Outgoing(exchange=exchange, routing_key=key, body=b"{}", message_id="m", mandatory=True)


def test_the_index_leads_everywhere(api: Api) -> None:
    """GET / names the routes; each that takes a GET answers."""
    found = answer(api.get("/"))
    assert (found["name"], found["version"]) == ("Queue Lab API", VERSION)
    for path in found["links"].values():
        with contextlib.closing(api.http.request("GET", api.url + path, preload_content=False)) as response:
            assert response.status in (200, 405)


def test_the_version_is_the_project_s() -> None:
    """The version is written down once more than in pyproject.toml, and is the same."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_unknown_routes_and_methods_are_json(api: Api) -> None:
    """A path that is none, and a method that a path does not take, have the shape of all errors."""
    assert code(api.get("/nothing/here")) == (404, "route_not_found")
    response = api.get("/upload")
    assert code(response) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "POST"


def test_a_fault_of_the_api_is_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that nobody foresaw is a 500 without its inside, and is logged."""
    broken = APIRouter()

    @broken.get("/")
    async def fail() -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(index, "router", broken)
    with running(tmp_path) as api:
        response = api.get("/")
    assert code(response) == (500, "internal_error")
    assert b"secret" not in response.data
    assert [record.getMessage() for record in caplog.records] == ["request_failed"]


def test_queues_are_listed_with_their_depth(api: Api) -> None:
    """Work queues and dead letters always, retry queues when they hold something."""
    names = {queue["name"] for queue in answer(api.get("/queues"))["queues"]}
    assert {"image.jobs", "text.jobs", "image.other", "dead-letter"} <= names
    retry = retry_queue("text.jobs", 15)
    assert retry not in names
    api.post("/produce", {"payload": 1})
    api.publish(message(JOBS, retry))
    found = {queue["name"]: queue for queue in answer(api.get("/queues"))["queues"]}
    assert found["text.jobs"] == {"name": "text.jobs", "ready": 1, "consumers": 0}
    assert found[retry]["ready"] == 1


@pytest.mark.parametrize("layout", ["single", "per-operation"])
def test_queues_say_which_of_them_are_filled(tmp_path: Path, layout: str) -> None:
    """The layout in force, whoever consumes: a queue of the other one is not empty for want of jobs."""
    with running(tmp_path, layout=layout) as api:
        assert answer(api.get("/queues"))["layout"] == layout


def test_dead_letters_are_counted(api: Api) -> None:
    """The count is the queue's, the reasons are the job table's."""
    api.publish(message(DEAD, ""))
    found = answer(api.get("/dlq/stats"))
    assert set(found) == {"dlq", "failed_messages", "timestamp", "by_reason"}
    assert (found["dlq"], found["failed_messages"], found["by_reason"]) == ("dead-letter", 1, {})


def test_queues_without_a_broker(api: Api) -> None:
    """Without a broker there is no depth to show: a 503."""
    api.broker.connected = False
    assert code(api.get("/queues")) == (503, "broker_unavailable")
    assert code(api.get("/dlq/stats")) == (503, "broker_unavailable")


def test_health_says_what_is_missing(api: Api) -> None:
    """200 when broker, storage and database answer, else 503 with the one that does not."""
    assert api.get("/health").status == 200
    api.store.available = False
    response = api.get("/health")
    checks = answer(response)["checks"]
    assert response.status == 503
    assert {name: check["ok"] for name, check in checks.items()} == {
        "broker": True,
        "storage": False,
        "database": True,
    }
    assert api.get("/live").status == 200


def test_requests_are_measured_by_route(api: Api) -> None:
    """The route in a metric is the template, not the path; messages and store calls are counted."""
    job_id = answer(api.upload())["job_id"]
    api.get(f"/status/{job_id}")
    api.get("/no/such/route")
    shown = api.get("/metrics").data.decode()
    for line in (
        'http_request_duration_seconds_count{method="GET",route="/status/{job_id}",status="200"}',
        'http_request_duration_seconds_count{method="GET",route="unmatched",status="404"}',
        'messages_produced_total{routing_key="image.jobs"}',
        'storage_operations_total{operation="put",result="ok"}',
        'stage_duration_seconds_count{stage="accept"}',
    ):
        assert line in shown
    assert job_id not in shown
