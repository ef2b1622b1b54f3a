"""The three routes of every program, asked over HTTP without a server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.types import Message, Scope

from services.common import health, metrics
from services.common.errors import DatabaseUnavailable, StorageUnavailable
from services.common.health import Check, blocking_check, broker_check, health_routes, settled_check
from services.common.testing import MemoryBroker
from services.common.topology import declarations
from tests.support.waiting import eventually


async def _get(checks: Mapping[str, Check], path: str, accept: str = "*/*") -> tuple[int, bytes]:
    """Ask the application as a server would: status and body."""
    app, sent = Starlette(routes=health_routes(checks)), []
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [(b"accept", accept.encode())],
        "query_string": b"",
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return int(sent[0]["status"]), b"".join(message.get("body", b"") for message in sent)


async def _health(checks: Mapping[str, Check]) -> tuple[int, dict[str, Any]]:
    status, body = await _get(checks, "/health")
    return status, json.loads(body)


async def _well() -> str:
    return "fine"


async def _ill() -> str:
    raise StorageUnavailable("the store is away")


async def test_all_is_well() -> None:
    """When every check passes, the answer is 200 and healthy, with a time."""
    status, body = await _health({"broker": _well, "storage": _well})
    assert (status, body["status"]) == (200, "healthy")
    assert body["checks"] == {name: {"ok": True, "detail": "fine"} for name in ("broker", "storage")}
    assert body["timestamp"].endswith("+00:00")


async def test_one_failed_check_is_enough() -> None:
    """A program that misses something it needs answers 503 and says what."""
    status, body = await _health({"broker": _well, "storage": _ill})
    assert (status, body["status"]) == (503, "unhealthy")
    assert body["checks"]["storage"] == {"ok": False, "detail": "the store is away"}


async def test_a_check_that_hangs_is_a_failed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer does not wait for what does not answer."""
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)

    async def hang() -> str:
        await asyncio.Event().wait()
        return ""

    status, body = await _health({"storage": hang})
    assert status == 503
    assert body["checks"]["storage"]["detail"] == "no answer within 0.05 s"


async def test_a_live_program_says_so_whatever_it_misses() -> None:
    """/live is about the program alone."""
    assert await _get({"storage": _ill}, "/live") == (200, b'{"status":"alive"}')


async def test_the_broker_check_follows_the_connection() -> None:
    """Without a connection the broker is not there."""
    async with MemoryBroker(declarations()) as broker:
        check = broker_check(broker)
        assert await check() == "RabbitMQ memory"
        broker.connected = False
        status, body = await _health({"broker": check})
        assert (status, body["checks"]["broker"]["ok"]) == (503, False)


async def test_new_queues_settle_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quorum queue of the first two seconds can lose messages with its broker, so readiness waits."""
    async with MemoryBroker(declarations()) as broker:
        check = settled_check(broker)
        status, body = await _health({"broker": check})
        assert (status, "settle" in body["checks"]["broker"]["detail"]) == (503, True)
        monkeypatch.setattr(health, "SETTLE_S", 0)
        assert await check() == "RabbitMQ memory"


async def test_a_blocking_check_runs_in_a_thread() -> None:
    """The event loop goes on while a database is asked; its error is the answer."""
    threads: list[int] = []

    def away() -> None:
        threads.append(threading.get_ident())
        raise DatabaseUnavailable("the job table is away")

    status, body = await _health({"database": blocking_check(away, "the job table answers")})
    assert (status, body["checks"]["database"]["detail"]) == (503, "the job table is away")
    assert threads != [threading.get_ident()]


async def test_a_check_that_hangs_takes_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked, a store that does not answer does not use up all threads."""
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.02)
    calls, go = [], threading.Event()

    def hang() -> None:
        calls.append(1)
        go.wait(10)

    check = blocking_check(hang, "fine")
    for _ in range(10):
        assert (await _health({"storage": check}))[0] == 503
    assert len(calls) == 1
    go.set()

    async def well() -> bool:
        return (await _health({"storage": check}))[0] == 200

    await eventually(well)


async def test_metrics_are_prometheus_text_or_json() -> None:
    """The names of the contract are there, in the form that was asked for."""
    metrics.messages_consumed.labels("text.jobs").inc()
    status, text = await _get({}, "/metrics")
    assert status == 200
    assert b'messages_consumed_total{queue="text.jobs"}' in text
    status, body = await _get({}, "/metrics", "application/json")
    assert status == 200
    samples = json.loads(body)["messages_consumed_total"]
    assert any(sample["labels"] == {"queue": "text.jobs"} and sample["value"] >= 1 for sample in samples)


NAMES = (
    "messages_produced_total",
    "messages_consumed_total",
    "message_processing_duration_seconds",
    "message_processing_errors_total",
    "http_request_duration_seconds",
    "storage_operations_total",
    "stage_duration_seconds",
    "worker_busy_seconds_total",
    "worker_jobs_in_hand",
    "notifications_total",
)


@pytest.mark.parametrize("name", NAMES)
async def test_a_metric_is_declared_with_a_help_text(name: str) -> None:
    """Dashboards and labs rely on these names."""
    _, text = await _get({}, "/metrics")
    assert f"# HELP {name} ".encode() in text
