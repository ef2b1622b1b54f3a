"""`python -m services.api` on a real RabbitMQ, a real S3 server and a real database."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from services.common.connect import open_broker
from services.common.jobs import JobStore
from services.common.settings import BrokerSettings
from services.common.topology import TRACKER_EVENTS
from test_images import generate_sample
from tests.checkout import eventually
from tests.support.backing import Backing

LIMIT = 20 * 1024 * 1024
CLIENTS = 200
CROWD_PEAK = 150 * 1024 * 1024
"""The most memory that the API may have while all of them upload."""
ROOM = 16 * 1024 * 1024
"""What one upload may add to the API's memory: two parts of 5 MiB on their way to the store, and some."""

log = logging.getLogger(__name__)
http = urllib3.PoolManager(retries=False, timeout=30)


@dataclass
class Program:
    """A running API."""

    process: subprocess.Popen[bytes]
    url: str

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        """Ask for a path."""
        return http.request("GET", self.url + path)

    def upload(self, data: bytes) -> urllib3.BaseHTTPResponse:
        """Send a picture."""
        return http.request("POST", self.url + "/upload", fields={"file": ("photo.jpg", data)})

    def healthy(self) -> bool:
        """Whether broker, store and job table answer."""
        return self.answers("/health")

    def answers(self, path: str = "/live") -> bool:
        """Whether a path is answered with a 200."""
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            return self.get(path).status == 200
        return False

    def peak_bytes(self) -> int:
        """Return the most memory that the process has had so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024

    def end(self) -> int:
        """Ask the program to end; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(env: Mapping[str, str], **more: str) -> Iterator[Program]:
    """Run the API, until it answers; end it with the block."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "services.api"],
        env={**os.environ, **env, "LAB_PORT": str(port), "LAB_INSTANCE": "api-test", **more},
        stderr=subprocess.DEVNULL,
    )
    program = Program(process, f"http://127.0.0.1:{port}")
    try:
        eventually(program.answers)
        yield program
    finally:
        process.kill()
        process.wait()
        http.clear()


async def empty_queues(amqp_url: str) -> None:
    """Drop what the test published and nobody took."""
    async with open_broker(BrokerSettings.model_validate({"amqp_url": amqp_url}), "api-test") as broker:
        await broker.ready(30)
        for queue in ("image.jobs", TRACKER_EVENTS):
            await broker.purge(queue)


@pytest.fixture
def env(backing: Backing, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Give the servers' addresses, with a job table and a bucket of the test's own."""
    url = f"sqlite:///{tmp_path}/lab.db"
    table = JobStore(url)
    table.create_schema()
    table.close()
    bucket = f"api-{uuid.uuid4().hex[:12]}"
    yield {**backing.environment, "LAB_DATABASE_URL": url, "LAB_S3_BUCKET": bucket}
    asyncio.run(empty_queues(backing.amqp_url))


@pytest.fixture
def program(env: dict[str, str]) -> Iterator[Program]:
    with started(env) as program:
        eventually(program.healthy)
        yield program


def body(response: urllib3.BaseHTTPResponse) -> Any:  # noqa: ANN401  (any JSON)
    return json.loads(response.data)


def test_an_upload_goes_all_the_way(program: Program) -> None:
    """The 202 comes with a row, the original in the store, and a message that the broker counts."""
    sent = generate_sample.photo(320, 240)
    response = program.upload(sent)
    job_id = body(response)["job_id"]
    status = body(program.get(f"/status/{job_id}"))
    assert response.status == 202
    assert (status["status"], status["file_size"]) == ("queued", len(sent))
    assert program.get(f"/jobs/{job_id}/original").data == sent
    queues = {queue["name"]: queue for queue in body(program.get("/queues"))["queues"]}
    assert queues["image.jobs"]["ready"] >= 1 or queues["image.jobs"]["consumers"] >= 1
    assert "dlq" in body(program.get("/dlq/stats"))


def test_sigterm_ends_gracefully(program: Program) -> None:
    """A request in hand is answered, then the program ends with 0."""
    sent = generate_sample.photo(320, 240)
    form, kind = urllib3.encode_multipart_formdata({"file": ("photo.jpg", sent)})
    port = urllib3.util.parse_url(program.url).port or 0
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        head = f"POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Type: {kind}\r\n"
        client.sendall(f"{head}Content-Length: {len(form)}\r\n\r\n".encode() + form[:1000])
        # Another request that is answered shows that the first one has arrived.
        assert program.answers()
        program.process.send_signal(signal.SIGTERM)
        eventually(lambda: not program.answers())
        client.sendall(form[1000:])
        assert client.recv(65536).startswith(b"HTTP/1.1 202")
    assert program.process.wait(30) == 0


def test_it_starts_before_its_servers(env: dict[str, str]) -> None:
    """Without broker, store and schema it runs, says what is missing, and accepts nothing."""
    nowhere = f"127.0.0.1:{free_port()}"
    missing = {
        "LAB_AMQP_URL": f"amqp://guest:guest@{nowhere}/",
        "LAB_S3_ENDPOINT": f"http://{nowhere}",
        "LAB_DATABASE_URL": env["LAB_DATABASE_URL"].replace("lab.db", "empty.db"),
    }
    with started(env, **missing) as program:
        health = program.get("/health")
        assert health.status == 503
        assert not any(check["ok"] for check in body(health)["checks"].values())
        response = program.upload(generate_sample.photo(64, 48))
        assert (response.status, body(response)["error"]["code"]) == (503, "broker_unavailable")
        assert program.end() == 0


@pytest.mark.parametrize(
    ("setting", "code"),
    [("LAB_S3_ENDPOINT", "storage_unavailable"), ("LAB_DATABASE_URL", "database_unavailable")],
)
def test_one_server_missing(env: dict[str, str], setting: str, code: str) -> None:
    """Without the store, or without the schema, an upload is a 503 that says which."""
    away = {
        "LAB_S3_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "LAB_DATABASE_URL": env["LAB_DATABASE_URL"].replace("lab.db", "empty.db"),
    }
    with started(env, **{setting: away[setting]}) as program:

        def refused() -> bool:
            response = program.upload(generate_sample.photo(64, 48))
            return response.status == 503 and body(response)["error"]["code"] == code

        eventually(refused)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process's memory from /proc")
def test_memory_does_not_grow_with_the_file(program: Program) -> None:
    """The largest upload adds less than its own size: it is streamed through the disk to the store."""
    small = generate_sample.photo(320, 240)
    assert program.upload(small).status == 202
    before = program.peak_bytes()
    response = program.upload(small + bytes(LIMIT - len(small)))
    assert response.status == 202
    assert program.peak_bytes() - before < ROOM
    job_id = body(response)["job_id"]
    assert body(program.get(f"/status/{job_id}"))["file_size"] == LIMIT
    assert program.upload(small + bytes(LIMIT + 1 - len(small))).status == 413


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process's memory from /proc")
def test_two_hundred_uploads_at_once_are_all_answered(
    program: Program,
) -> None:
    """Each is a 202 with its own job, and the API's memory stays bounded."""
    sent = generate_sample.photo(1200, 1600) + bytes(512 * 1024)
    before = program.peak_bytes()
    with (
        urllib3.PoolManager(retries=False, timeout=60, maxsize=CLIENTS) as pool,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        found = list(clients.map(lambda _: upload(pool, program.url, sent), range(CLIENTS)))
    peak = program.peak_bytes()
    log.info("%s uploads of %s bytes: peak %s, before %s", CLIENTS, len(sent), peak, before)
    assert {response.status for response in found} == {202}
    assert len({body(response)["job_id"] for response in found}) == CLIENTS
    assert peak < CROWD_PEAK


def upload(pool: urllib3.PoolManager, url: str, data: bytes) -> urllib3.BaseHTTPResponse:
    return pool.request("POST", f"{url}/upload", fields={"file": ("photo.jpg", data)})
