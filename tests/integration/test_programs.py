"""Each program as a real process on a real broker: its routes, its log, its beginning and its end."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from labkit.project import REPOSITORY
from labkit.settings import base_environment
from services.common.envelopes import job_envelope
from services.common.jobs import JobStore
from tests.support.examples import text_job
from tests.support.programs import START_S, check_lines, connected, healthy, running
from tests.support.proxy import proxy_to
from tests.support.waiting import eventually

PROGRAMS = ("worker", "tracker", "notifier", "api")
METRICS = (
    "messages_produced_total",
    "messages_consumed_total",
    "message_processing_duration_seconds",
    "message_processing_errors_total",
    "http_request_duration_seconds",
    "storage_operations_total",
    "stage_duration_seconds",
    "worker_busy_seconds_total",
    "notifications_total",
)


@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_program_serves_and_ends(name: str, environment: dict[str, str]) -> None:
    """A program answers /live, /health and /metrics, logs JSON lines, and ends with 0 on SIGTERM."""
    async with healthy(name, environment) as program:
        status, body = await program.get("/live")
        assert (status, json.loads(body)) == (200, {"status": "alive"})
        health = json.loads((await program.get("/health"))[1])
        assert health["status"] == "healthy"
        assert "broker" in health["checks"]
        _, text = await program.get("/metrics")
        assert [metric for metric in METRICS if f"# HELP {metric} " not in text] == []
        json.loads((await program.get("/metrics", "application/json"))[1])
        assert await program.end() == 0
        assert program.events()[-1] == "program_stopped"
        check_lines(program)


@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_program_may_start_first_and_outlives_its_connection(
    name: str, environment: dict[str, str]
) -> None:
    """Without a broker a program is alive and unhealthy; it connects when there is one, and after a cut."""
    proxy = proxy_to(environment["LAB_AMQP_URL"])
    async with proxy.listening():
        pass
    own = {**environment, "LAB_AMQP_URL": proxy.url(environment["LAB_AMQP_URL"])}
    async with running(name, own) as program:
        await eventually(program.unhealthy, START_S)
        assert (await program.get("/live"))[0] == 200
        await eventually(lambda: "broker_unreachable" in program.events())
        async with proxy.listening():
            await eventually(program.healthy, START_S)
            proxy.cut()
            await eventually(lambda: "broker_lost" in program.events())
            await eventually(program.healthy, START_S)
            assert program.events().count("broker_connected") == 2
            assert await program.end() == 0
        check_lines(program)


@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_program_without_its_broker_ends_too(name: str, environment: dict[str, str]) -> None:
    """SIGTERM is obeyed at once while there is nobody to connect to."""
    async with running(name, {**environment, "LAB_AMQP_URL": "amqp://guest:guest@127.0.0.1:9/"}) as program:
        await eventually(lambda: "broker_unreachable" in program.events())
        assert await program.end() == 0
        check_lines(program)


async def test_a_wrong_setting_is_one_line() -> None:
    """A program that cannot start says which variable is wrong, and ends with 2."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.worker"),
        cwd=REPOSITORY,
        env={**base_environment(), "LAB_AMQP_URL": "localhost"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    assert process.returncode == 2
    lines = told.decode().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("LAB_AMQP_URL: must look like amqp://")


async def test_the_programs_together(environment: dict[str, str]) -> None:
    """A job goes through worker, tracker and notifier, and its row has the whole stage clock."""
    table = JobStore(environment["LAB_DATABASE_URL"])
    async with (
        connected(environment) as broker,
        healthy("tracker", environment),
        healthy("worker", environment),
        healthy("notifier", environment),
    ):
        sent = text_job()
        await broker.publish(job_envelope(sent, "text.jobs"))
        await eventually(lambda: (row := table.get(sent.job_id)) and "notified" in row.clock)
        row = table.get(sent.job_id)
        assert row is not None
        assert (row.status, row.worker, row.attempt) == ("completed", "worker-1", 1)
        assert list(row.clock) == ["accepted", "published", "started", "processed", "finished", "notified"]
    table.close()
