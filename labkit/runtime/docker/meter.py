"""CPU and memory of containers, without waiting for the engine, which takes a second for a measurement."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.errors import LabError
from labkit.runtime.base import Stats
from labkit.runtime.docker.containers import Container
from labkit.runtime.docker.engine import Engine, Gone

_FIRST_LOOK_S = 0.2
_EVERY_S = 1.0
_IDLE_S = 5.0
_NS = 1e9


class Meter:
    """Measures containers. The first reading waits; after it a thread measures as long as readings come."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._used: dict[str, tuple[float, float]] = {}
        self._latest: dict[str, Stats] = {}
        self._wanted: Sequence[Container] = ()
        self._asked = 0.0
        self._thread: threading.Thread | None = None

    def read(self, containers: Sequence[Container]) -> list[Stats]:
        """Return the figures of those that run; of one that has just come there may be none yet."""
        self._wanted = [entry for entry in containers if entry.runs]
        self._asked = time.monotonic()
        if self._wanted and not self._latest:
            self._measure(self._wanted)
            time.sleep(_FIRST_LOOK_S)
            self._measure(self._wanted)
        elif self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._keep_measuring, name="meter", daemon=True)
            self._thread.start()
        found = dict(self._latest)
        return [found[entry.life] for entry in self._wanted if entry.life in found]

    def _keep_measuring(self) -> None:
        while time.monotonic() - self._asked < _IDLE_S:
            began = time.monotonic()
            try:
                self._measure(self._wanted)
            except LabError:
                return  # whoever looks at the stack will say so
            except RuntimeError:
                return  # this program ends: no thread begins any more
            time.sleep(max(0.0, _EVERY_S - (time.monotonic() - began)))

    def _measure(self, containers: Sequence[Container]) -> None:
        latest, used = {}, {}
        answers = zip(containers, self._engine.each(self._ask, containers), strict=True)
        for entry, (at, usage) in answers:
            if usage.get("memory_stats"):
                now = (at, usage["cpu_stats"]["cpu_usage"]["total_usage"] / _NS)
                percent = _percent(self._used.get(entry.life, now), now)
                used[entry.life] = now
                latest[entry.life] = Stats(entry.name, percent, _memory(usage["memory_stats"]))
        self._latest, self._used = latest, used

    def _ask(self, container: Container) -> tuple[float, Mapping[str, Any]]:
        try:
            with self._engine.asking() as api:
                # Without `one_shot` the engine takes two readings, one second apart.
                usage = api.stats(container.id, stream=False, one_shot=True)
        except Gone:
            usage = {}
        return time.monotonic(), usage


def _percent(before: tuple[float, float], now: tuple[float, float]) -> float:
    if now[0] <= before[0]:
        return 0.0
    return round(max(0.0, now[1] - before[1]) / (now[0] - before[0]) * 100, 1)


def _memory(usage: Mapping[str, Any]) -> int:
    """Return what is in use without the file cache that can be given up, as `docker stats` does."""
    details = usage.get("stats") or {}
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    return max(0, int(usage.get("usage", 0)) - int(cache))
