"""GET /workers, /faults and /operations: what a page shows beside the jobs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from services.common.control import KEY, Faults, write_faults
from services.common.envelopes import heartbeat_envelope
from services.common.testing import MemoryStore
from services.worker.processors import catalogue
from tests.support.api import Api, answer, code, running
from tests.support.examples import heartbeat
from tests.support.waiting import eventually


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


def beat(api: Api, instance: str, **changes: object) -> None:
    """Let a worker be heard."""
    api.publish(heartbeat_envelope(heartbeat(instance, **changes)))


async def test_workers_are_those_that_are_heard(api: Api) -> None:
    """Each is shown with what it does and how long ago it said so, in the order of their numbers."""
    assert answer(api.get("/workers")) == {"workers": []}
    beat(api, "worker-10")
    beat(api, "worker-2", state="busy", job_ids=("a",), stage="process", done=3, started_at=0)
    await eventually(lambda: len(answer(api.get("/workers"))["workers"]) == 2)
    second, tenth = answer(api.get("/workers"))["workers"]
    assert (second["instance"], tenth["instance"]) == ("worker-2", "worker-10")
    assert (second["state"], second["job_ids"], second["stage"], second["done"]) == (
        "busy",
        ["a"],
        "process",
        3,
    )
    assert second["started_at"] == "1970-01-01T00:00:00.000+00:00"
    assert 0 <= second["silent_s"] < 5
    assert tenth["stage"] is None


def test_without_a_broker_nobody_knows_the_workers(api: Api) -> None:
    """That nobody can be heard is not the same as that nobody works."""
    api.broker.connected = False
    assert code(api.get("/workers")) == (503, "broker_unavailable")


def test_faults_are_those_in_force(api: Api) -> None:
    """What `labctl chaos` wrote is shown at once, and nothing when nothing was written."""
    assert answer(api.get("/faults")) == {
        "active": False,
        "fail_rate": 0,
        "delays_s": {},
        "store_latency_s": 0,
    }
    write_faults(api.store, Faults(fail_rate=0.2, delays_s={"convert": 0.5}))
    found = answer(api.get("/faults"))
    assert found == {"active": True, "fail_rate": 0.2, "delays_s": {"convert": 0.5}, "store_latency_s": 0}


def test_faults_that_cannot_be_read_are_not_none(tmp_path: Path) -> None:
    """A damaged object and a store that is away are errors that say so."""
    store = MemoryStore()
    with running(tmp_path, store=lambda: store) as api:
        store.put(KEY, io.BytesIO(b"{"), 1, "application/json")
        assert code(api.get("/faults")) == (500, "faults_unreadable")
        store.available = False
        assert code(api.get("/faults")) == (503, "storage_unavailable")


def test_every_operation_is_listed(api: Api) -> None:
    """The catalogue is shown in its own words, and its examples are taken."""
    found = answer(api.get("/operations"))
    assert [each["name"] for each in found["operations"]] == list(catalogue())
    assert found["default"] in catalogue()
    for each in found["operations"]:
        assert each["summary"].endswith(".") or ";" in each["summary"]
        for example in each["examples"]:
            assert check(api, example)[0] == 200


def test_arguments_say_what_they_need(api: Api) -> None:
    """A builder learns which arguments have a default, which must be given, and which are many."""
    shown = {each["name"]: each["arguments"] for each in answer(api.get("/operations"))["operations"]}
    size, mode = shown["resize"]
    assert size == {"name": "size", "default": "800x600", "required": False, "many": False}
    assert mode["default"] == "fit"
    assert shown["convert"] == [{"name": "to", "default": None, "required": True, "many": False}]
    assert [each["many"] for each in shown["watermark"]] == [True]


def test_operations_are_checked_without_an_upload(api: Api) -> None:
    """What an upload would understand, or the error that it would get."""
    status, found = check(api, "rotate,-90|resize")
    assert (status, found) == (
        200,
        {"operations": ["rotate,270", "resize,800x600"], "canonical": "rotate,270;resize,800x600"},
    )
    for wrong, expected in (
        ("explode", (400, "bad_operation")),
        ("sleep,50", (400, "processing_time_too_long")),
        ("x" * 3000, (400, "bad_field")),
    ):
        assert code(api.get(f"/operations/check?{urlencode({'operations': wrong})}")) == expected


def check(api: Api, operations: str) -> tuple[int, object]:
    """Ask whether operations are right."""
    response = api.get(f"/operations/check?{urlencode({'operations': operations})}")
    return response.status, answer(response)
