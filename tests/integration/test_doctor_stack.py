"""The doctor in front of a server that answers like the API, in a process of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from labkit.doctor import flow, stack
from labkit.doctor.check import Result
from labkit.doctor.entry import Api
from labkit.doctor.http import request
from labkit.doctor.picture import make_png
from labkit.doctor.ports import is_free
from labkit.doctor.project import Project
from labkit.words import ROOT
from tests.checkout import environment

GOOD = {"ok": True, "detail": "reached in 2 ms"}
BAD = {"ok": False, "detail": "connection refused"}


class Server(ThreadingHTTPServer):
    """Answers what its tables say."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.uploads: list[bytes] = []
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.says(
            "/health", {"status": "healthy", "checks": dict.fromkeys(("broker", "storage", "database"), GOOD)}
        )
        self.says("/queues", {"queues": [queue("image.jobs", 3), queue("image.jobs.retry.1s", 0)]})
        self.says("/jobs?status=processing&limit=200", {"jobs": [], "next_cursor": None})
        self.says("/dlq/stats", {"failed_messages": 0})
        self.says("/upload", {"job_id": "j1"}, 202)
        self.says("/status/j1", {"status": "completed"})
        self.answers["/jobs/j1/result"] = 200, make_png(32, 24)

    def says(self, path: str, body: dict[str, Any], status: int = 200) -> None:
        """Let the server answer this at `path`."""
        self.answers[path] = status, json.dumps(body).encode()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.server_address[1]


class Handler(BaseHTTPRequestHandler):
    """Looks the answer up."""

    server: Server

    def do_GET(self) -> None:
        """Answer from the table."""
        status, body = self.server.answers.get(self.path, (404, b"{}"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Keep the body, then answer from the table."""
        self.server.uploads.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


FOLLOWERS = (90, 91)  # ports of tracker and notifier, behind the API's


def free_port() -> int:
    """Return a port low enough to be the API's at an offset that the other ports can follow."""
    candidates = range(21000, 30000, 7)
    return next(port for port in candidates if all(is_free(port + more) for more in (0, *FOLLOWERS)))


def queue(name: str, consumers: int, ready: int = 0) -> dict[str, Any]:
    """Return one row of /queues."""
    return {"name": name, "ready": ready, "consumers": consumers}


@contextmanager
def served(port: int) -> Iterator[Server]:
    """Start a server."""
    with Server(port) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def api() -> Iterator[Server]:
    """Start servers that answer like a healthy stack: API, tracker and notifier."""
    port = free_port()
    with served(port) as server, served(port + FOLLOWERS[0]), served(port + FOLLOWERS[1]):
        yield server


def check(api: Server) -> dict[str, Result]:
    """Let the doctor look at the stack."""
    project = Project("default", api.port - 8000)
    answer = stack.health(project)
    assert answer is not None
    return {result.name: result for result in stack.check_stack(project, answer)}


def test_healthy_stack_passes_every_check(api: Server) -> None:
    """All parts, the workers and the round trip are well; the picture that was sent is a real one."""
    results = check(api)
    parts = ["API", "broker", "object store", "database", "workers", "tracker", "notifier"]
    flow = ["queues", "jobs in processing", "dead letters", "memory in use", "round trip"]
    assert [*results] == parts + flow
    assert all(result.passed for result in results.values())
    assert results["workers"].detail == "3 on image.jobs"
    assert make_png(64, 48) in api.uploads[0]
    assert b'name="operations"\r\n\r\nresize,32x24\r\n' in api.uploads[0]


def test_failed_part_is_named_with_its_mend(api: Server) -> None:
    """A part that the API does not reach fails, one that it does not mention is unknown."""
    api.says("/health", {"status": "unhealthy", "checks": {"broker": BAD, "database": GOOD}}, 503)
    results = check(api)
    assert results["API"].ok is False
    assert results["broker"].ok is False
    assert results["broker"].detail == "connection refused"
    assert results["broker"].fix.endswith("restart rabbitmq")
    assert results["object store"].ok is None
    assert not results["object store"].passed


@pytest.mark.parametrize(("version", "ignored"), [("3.10.8", True), ("3.13.7", True), ("4.3.6", False)])
def test_an_older_broker_is_said_to_ignore_priorities(api: Server, version: str, *, ignored: bool) -> None:
    """It works all the same."""
    broker = {"ok": True, "detail": f"RabbitMQ {version}"}
    checks = {"broker": broker, "storage": GOOD, "database": GOOD}
    api.says("/health", {"status": "healthy", "checks": checks})
    result = check(api)["broker"]
    assert result.ok is True
    assert ("ignores priorities" in result.detail) is ignored


def test_no_consumers_is_a_failure(api: Server) -> None:
    """Queues without a worker fail; the retry queues have none in any case."""
    api.says("/queues", {"queues": [queue("image.jobs", 0)]})
    assert check(api)["workers"].ok is False
    api.says("/queues", {}, 404)
    assert check(api)["workers"].ok is None


@pytest.mark.parametrize(
    ("consumers", "ready", "word", "fix"),
    [(0, 5, "failed", "up"), (2, 300, "note", "scale 4"), (2, 30, "ok", "")],
)
def test_what_waits(api: Server, consumers: int, ready: int, word: str, fix: str) -> None:
    """Jobs that nobody takes are a failure, very many a note."""
    waiting = queue("text.jobs", consumers, ready)
    api.says("/queues", {"queues": [queue("image.jobs", 1), waiting, queue("dead-letter", 0, 9)]})
    result = check(api)["queues"]
    assert (result.word, f"{ready} in text.jobs" in result.detail) == (word, True)
    assert result.fix.endswith(fix)


@pytest.mark.parametrize(("seconds", "word"), [(3, "ok"), (300, "note")])
def test_a_job_in_processing_for_long_is_named(api: Server, seconds: float, word: str) -> None:
    """A worker that hangs or is frozen shows by the job in its hands."""
    stuck = {"job_id": "8a3dce7fed514c43", "worker": "worker-2", "clock": {"started": time.time() - seconds}}
    api.says("/jobs?status=processing&limit=200", {"jobs": [stuck, {"job_id": "b", "clock": {}}]})
    result = check(api)["jobs in processing"]
    assert result.word == word
    assert f"2, the longest for {seconds} s" in result.detail
    assert ("8a3dce7f by worker-2" in result.detail) is (word == "note")


def test_dead_letters_are_a_note(api: Server) -> None:
    """They wait for a person; the stack is well all the same."""
    api.says("/dlq/stats", {"failed_messages": 2})
    result = check(api)["dead letters"]
    assert (result.word, result.detail, result.passed) == ("note", "2", True)


def test_what_the_api_does_not_tell_is_unknown(api: Server) -> None:
    """No answer is never a pass."""
    for path in ("/queues", "/jobs?status=processing&limit=200", "/dlq/stats"):
        api.says(path, {"error": {}}, 500)
    found = check(api)
    assert {found[name].word for name in ("queues", "jobs in processing", "dead letters")} == {"unknown"}


def test_a_notifier_that_does_not_answer(api: Server) -> None:
    """Without tracker or notifier nobody hears of the end of a job."""
    project = Project("default", api.port - 8000 + 200)
    assert [found.word for found in flow.check_flow(project)[:2]] == ["failed", "failed"]
    with served(api.port + 290) as tracker:
        tracker.says("/health", {"checks": {"broker": BAD}}, 503)
        found = flow.check_flow(project)[0]
    assert (found.name, found.detail, found.fix.endswith("restart tracker")) == (
        "tracker",
        "connection refused",
        True,
    )


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/upload", {}, "upload: the API answered 200"),
        ("/status/j1", {"status": "failed", "error_message": "bad bytes"}, "failed: bad bytes"),
        ("/jobs/j1/result", {}, "the result is not the PNG"),
    ],
)
def test_broken_round_trip_tells_the_step(api: Server, path: str, body: dict[str, Any], detail: str) -> None:
    """Whatever goes wrong on the way is named, with the command that shows more."""
    api.says(path, body)
    result = check(api)["round trip"]
    assert result.ok is False
    assert detail in result.detail
    assert result.fix


def test_round_trip_does_not_wait_for_ever(api: Server) -> None:
    """A job that stays queued is a failure after the time limit."""
    api.says("/status/j1", {"status": "queued"})
    result = stack.check_round_trip(Api(api.port), within_s=0.3)
    assert "it is queued" in result.detail


def test_silence_is_no_answer() -> None:
    """Where nobody listens there is no stack."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_address[1]
    assert request(port, "/health") is None
    assert stack.health(Project("default", port - 8000)) is None


def test_script_checks_the_running_stack(api: Server) -> None:
    """verify_setup.py finds the stack by LAB_PORT_OFFSET and goes on to its checks."""
    done = subprocess.run(
        [sys.executable, "verify_setup.py", "--json"],
        cwd=ROOT,
        env=environment(LAB_PROJECT="stand-in", LAB_RUNTIME="local", LAB_PORT_OFFSET=str(api.port - 8000)),
        capture_output=True,
        check=False,
    )
    checks = {check["name"]: check["ok"] for check in json.loads(done.stdout)["checks"]}
    assert checks["round trip"] is True
    assert checks[f"port {api.port} api"] is True
