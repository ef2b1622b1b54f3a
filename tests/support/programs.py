"""The pipeline's programs as real processes: their log lines, their routes, their end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil

from labkit.project import REPOSITORY
from labkit.settings import base_environment
from services.common.amqp import AmqpBroker
from services.common.logs import EVENTS
from services.common.topology import declarations
from tests.support.waiting import eventually

START_S = 30.0
END_S = 30.0


@dataclass(slots=True)
class Program:
    """A running program; `lines` are its log lines so far."""

    process: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def events(self) -> list[str]:
        """Return the names of what it logged."""
        return [line["event"] for line in self.lines]

    async def get(self, path: str, accept: str = "*/*") -> tuple[int, str]:
        """Ask one of its routes: status and body."""
        return await asyncio.to_thread(_get, self.url + path, accept)

    async def healthy(self) -> bool:
        """Whether it has all it needs."""
        return (await self.get("/health"))[0] == 200

    async def unhealthy(self) -> bool:
        """Whether it says that it misses something."""
        return (await self.get("/health"))[0] == 503

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        async with asyncio.timeout(END_S):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def running(name: str, environment: Mapping[str, str]) -> AsyncIterator[Program]:
    """Run `python -m services.{name}` while the block runs; it listens on a free port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"services.{name}",
        cwd=REPOSITORY,
        env={**base_environment(), "LAB_INSTANCE": f"{name}-1", "LAB_PORT": "0", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    program = Program(process)
    reading = asyncio.create_task(_read(program))
    try:
        await eventually(lambda: _listens(program) or process.returncode is not None, START_S)
        yield program
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
        assert process.stdout is not None
        assert await process.stdout.read() == b""


async def _read(program: Program) -> None:
    assert program.process.stderr is not None
    async for line in program.process.stderr:
        program.lines.append(json.loads(line))


def _listens(program: Program) -> bool:
    with contextlib.suppress(psutil.Error):
        for connection in psutil.Process(program.process.pid).net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN:
                program.url = f"http://127.0.0.1:{connection.laddr.port}"
    return bool(program.url)


def _get(url: str, accept: str) -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310  (our own address)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  (same)
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@contextlib.asynccontextmanager
async def healthy(name: str, environment: Mapping[str, str]) -> AsyncIterator[Program]:
    """Run a program, from the moment when it has all it needs."""
    async with running(name, environment) as program:
        await eventually(program.healthy, START_S)
        yield program


@contextlib.asynccontextmanager
async def connected(environment: Mapping[str, str]) -> AsyncIterator[AmqpBroker]:
    """Give a connection of the test's own to the broker that the programs use."""
    async with AmqpBroker(environment["LAB_AMQP_URL"], name="test", topology=declarations()) as broker:
        await broker.ready(START_S)
        yield broker


def check_lines(program: Program) -> None:
    """Check that every line has a time, a level, an event of the list, and the instance."""
    for line in program.lines:
        assert {"at", "level", "event", "instance"} <= set(line)
        assert line["event"] in EVENTS, line
        assert line["instance"].endswith("-1")
    assert program.events()[0] == "program_started"
