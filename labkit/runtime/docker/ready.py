"""Whether containers are ready, found out sooner than Docker's own health checks do."""

import http.client
import socket
import time
from collections.abc import Callable, Sequence

from labkit.errors import NotReady, StackDown, StartFailed
from labkit.runtime.base import Progress, Report
from labkit.runtime.docker.containers import Container
from labkit.runtime.docker.engine import Engine, Gone
from labkit.stack import Service

HOST = "127.0.0.1"

_POLL_S = 0.2
_ANSWER_S = 2.0
_NEAR_S = 1.0
_DEATHS = 3
_QUOTE_CHARACTERS = 300
# https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, 4.2.2: the broker answers with a method frame.
_HELLO = b"AMQP\x00\x00\x09\x01"
_METHOD = b"\x01"


class Probe:
    """Asks containers whether they are ready, with the check that docker-compose.yml gives each."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def trouble(self, service: Service | None, container: Container) -> str:
        """Say what keeps the container from being ready; "" when it is."""
        if container.status != "running":
            return f"it is {container.status}"
        if container.health in ("", "healthy") or not container.check:
            return ""
        if service is not None and service.readiness == "broker" and container.ports:
            # The broker's own check starts an Erlang machine each time; this costs nothing.
            return _no_hello(next(iter(container.ports.values())))
        if service is not None and service.readiness == "health":
            complaint = _unhealthy(container)
            if complaint is not None:
                return complaint
        try:
            status, words = self._engine.run_inside(container.id, container.check)
        except Gone:
            return "it is gone"
        return "" if status == 0 else f"its health check says: {_last(words) or status}"


class Waiter:
    """Waits until instances are ready, and finds out early when they never will be.

    look: lists the stack's containers. last_words: the end of an instance's log.
    """

    def __init__(
        self,
        probe: Probe,
        look: Callable[[], Sequence[Container]],
        last_words: Callable[[str], str],
        report: Report,
    ) -> None:
        self._probe = probe
        self._look = look
        self._last_words = last_words
        self._report = report

    def wait(
        self, names: Sequence[str], services: Sequence[Service], within_s: float, project: str
    ) -> list[Container]:
        """Wait for all, and return them as they were when ready. Raises StartFailed, NotReady, StackDown."""
        deadline = time.monotonic() + within_s
        table = {service.name: service for service in services}
        before: dict[str, int] = {}
        pending, ready = list(names), []
        while pending:
            found = {entry.name: entry for entry in self._look()}
            if not found:
                raise StackDown.of(project)
            for name in list(pending):
                entry = found.get(name)
                if entry is None:
                    trouble = "it has no container"
                else:
                    before.setdefault(name, entry.restarts)
                    trouble = self._probe.trouble(table.get(entry.service), entry)
                    self._check_deaths(entry, before[name])
                if entry is not None and not trouble:
                    self._report(Progress.READY, name)
                    ready.append(entry)
                    pending.remove(name)
                elif time.monotonic() > deadline:
                    raise NotReady(
                        f"{name} is not ready: {trouble}. Its last words: {self._last_words(name)}",
                        f"Read more: labctl logs {name}",
                    )
            if pending:
                time.sleep(_POLL_S)
        return ready

    def _check_deaths(self, entry: Container, before: int) -> None:
        deaths = entry.restarts - before
        if deaths >= _DEATHS:
            raise StartFailed(
                f"{entry.name} ended {deaths} times while starting. "
                f"Its last words: {self._last_words(entry.name)}",
                f"Read more: labctl logs {entry.name}",
            )


def _no_hello(port: int) -> str:
    try:
        with socket.create_connection((HOST, port), timeout=_ANSWER_S) as connection:
            connection.sendall(_HELLO)
            answer = connection.recv(1)
    except OSError:
        answer = b""
    return "" if answer == _METHOD else f"it does not take connections on port {port} yet"


def _unhealthy(container: Container) -> str | None:
    """Ask a program itself: "" when it is ready; None where its network cannot be reached from this machine.

    On Linux it can; Docker Desktop has it in a machine of its own.
    """
    port = container.env.get("LAB_PORT", "")
    if not container.ip or not port.isdigit():
        return None
    connection = http.client.HTTPConnection(container.ip, int(port), timeout=_NEAR_S)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except ConnectionRefusedError:
        return "it does not listen yet"
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return "" if status == http.client.OK else f"/health answers {status}"


def _last(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1][:_QUOTE_CHARACTERS] if lines else ""
