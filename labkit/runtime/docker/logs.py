"""Logs of containers: the last lines, and what is added while instances come, go and start again."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.runtime.base import LogLine
from labkit.runtime.docker.containers import Container, moment
from labkit.runtime.docker.engine import Engine, Gone

_POLL_S = 0.3


@dataclass(frozen=True)
class Line:
    """A line of a container's log; `at` is the engine's time, nine digits after the second, and sorts."""

    at: str
    text: str


def last_lines(engine: Engine, container: Container, count: int) -> list[Line]:
    """Read the last lines of a container."""
    try:
        with engine.asking() as api:
            return _lines(api.logs(container.id, timestamps=True, tail=count))
    except Gone:
        return []


class Follower:
    """Yields what containers write.

    look: the containers to follow, None when the stack is down. since: for a container the time of the last
    line that is known; of others all lines are news.
    """

    def __init__(
        self, engine: Engine, look: Callable[[], Sequence[Container] | None], since: Mapping[str, str]
    ) -> None:
        self._engine = engine
        self._look = look
        self._since = dict(since)
        self._news: queue.Queue[LogLine] = queue.Queue()
        self._readers: dict[str, tuple[str, threading.Thread]] = {}

    def lines(self) -> Iterator[LogLine]:
        """Follow until the stack is down."""
        going, looked = True, 0.0
        while going:
            if time.monotonic() - looked >= _POLL_S:
                going, looked = self._join_in(), time.monotonic()
            yield from self._heard(_POLL_S)
        for _, reader in self._readers.values():
            reader.join(_POLL_S)
        yield from self._heard(0)

    def _heard(self, wait_s: float) -> Iterator[LogLine]:
        try:
            yield self._news.get(timeout=wait_s) if wait_s else self._news.get_nowait()
            while True:
                yield self._news.get_nowait()
        except queue.Empty:
            return

    def _join_in(self) -> bool:
        """Read each container in each of its lives, once; tell whether the stack is up."""
        found = self._look()
        for container in found or ():
            life, reader = self._readers.get(container.id, ("", None))
            if container.started and life != container.life and not (reader and reader.is_alive()):
                thread = threading.Thread(target=self._read, args=(container,), daemon=True)
                self._readers[container.id] = (container.life, thread)
                thread.start()
        return found is not None

    def _read(self, container: Container) -> None:
        """Read until the container ends."""
        known = self._since.get(container.id, "")
        since = moment(known).timestamp() - 1 if known else None
        rest = b""
        try:
            with self._engine.asking() as api:
                for part in api.logs(container.id, stream=True, follow=True, timestamps=True, since=since):
                    whole, _, rest = (rest + part).rpartition(b"\n")
                    for line in _lines(whole):
                        if line.at > self._since.get(container.id, ""):
                            self._since[container.id] = line.at
                            self._news.put(LogLine(container.name, line.text))
        except LabError:
            return  # the container or the engine is gone; whoever looks at the stack will say so


def _lines(data: bytes) -> list[Line]:
    texts = data.decode(errors="replace").splitlines()
    return [Line(at, text) for at, _, text in (line.partition(" ") for line in texts)]
