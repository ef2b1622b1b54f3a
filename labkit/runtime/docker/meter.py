"""CPU and memory of containers, without the one or two seconds that Docker takes to measure one."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.runtime.base import Stats
from labkit.runtime.docker.containers import Container
from labkit.runtime.docker.engine import Engine, Gone

_FIRST_LOOK_S = 0.2
_NS = 1e9


class Meter:
    """Measures containers; CPU counts from one reading to the next."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._before: dict[str, tuple[float, float]] = {}

    def read(self, containers: Sequence[Container]) -> list[Stats]:
        """Measure those that run, all at once."""
        running = [entry for entry in containers if entry.runs]
        if any(entry.life not in self._before for entry in running):
            self._take([entry for entry in running if entry.life not in self._before])
            time.sleep(_FIRST_LOOK_S)
        before = dict(self._before)
        return [
            Stats(entry.name, _percent(before.get(entry.life), self._before[entry.life]), memory)
            for entry, memory in self._take(running)
        ]

    def _take(self, containers: Sequence[Container]) -> list[tuple[Container, int]]:
        """Note the CPU time used so far; return each container's memory in bytes."""
        found = zip(containers, self._engine.each(self._ask, containers), strict=True)
        taken = []
        for entry, (at, usage) in found:
            if usage.get("memory_stats"):
                self._before[entry.life] = (at, usage["cpu_stats"]["cpu_usage"]["total_usage"] / _NS)
                taken.append((entry, _memory(usage["memory_stats"])))
        return taken

    def _ask(self, container: Container) -> tuple[float, Mapping[str, Any]]:
        try:
            with self._engine.asking() as api:
                # One reading; without `one_shot` the engine takes two, a second or more apart.
                usage = api.stats(container.id, stream=False, one_shot=True)
        except Gone:
            usage = {}
        return time.monotonic(), usage


def _percent(before: tuple[float, float] | None, now: tuple[float, float]) -> float:
    if before is None or now[0] <= before[0]:
        return 0.0
    return round(max(0.0, now[1] - before[1]) / (now[0] - before[0]) * 100, 1)


def _memory(usage: Mapping[str, Any]) -> int:
    """Return what is in use without the file cache that can be given up, as `docker stats` does."""
    details = usage.get("stats") or {}
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    return max(0, int(usage.get("usage", 0)) - int(cache))
