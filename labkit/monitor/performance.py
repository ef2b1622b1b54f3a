"""The classic table of a performance monitor: each figure now, and how it was over a window."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from labkit.monitor.picture import Picture
from labkit.stack import WORKERS

_MB = 1e6


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric over the window; all None when nothing is known of it. `samples`: how many went into it."""

    metric: str
    unit: str
    samples: int
    current: float | None
    mean: float | None
    median: float | None
    minimum: float | None
    maximum: float | None
    stdev: float | None


class Performance:
    """Gathers figures; `window_s` is how far back they look."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._seen: deque[tuple[float, dict[tuple[str, str], float | None]]] = deque()

    def add(self, picture: Picture) -> tuple[Figure, ...]:
        """Take in a picture; return the figures over the window."""
        at = picture.sample.at
        self._seen.append((at, _metrics(picture)))
        while not 0 <= at - self._seen[0][0] <= self._window_s:
            self._seen.popleft()
        now = self._seen[-1][1]
        return tuple(_figure(key, [values[key] for _, values in self._seen]) for key in now)


def _metrics(picture: Picture) -> dict[tuple[str, str], float | None]:
    workers = [entry for entry in picture.sample.instances if entry.service in WORKERS]
    total = next((stage for stage in picture.sample.stages if stage.name == "total"), None)
    memory = _sum(entry.memory_bytes for entry in picture.sample.instances)
    return {
        ("throughput", "jobs/s"): picture.completed_per_s,
        ("arrivals", "jobs/s"): picture.arriving_per_s,
        ("backlog", "jobs"): picture.backlog,
        ("latency P50", "s"): total.p50_s if total else None,
        ("latency P95", "s"): total.p95_s if total else None,
        ("CPU, workers", "% of a core"): _sum(entry.cpu_percent for entry in workers),
        ("CPU, all", "% of a core"): _sum(entry.cpu_percent for entry in picture.sample.instances),
        ("memory, all", "MB"): None if memory is None else memory / _MB,
    }


def _figure(key: tuple[str, str], values: list[float | None]) -> Figure:
    known = [value for value in values if value is not None]
    if not known:
        return Figure(*key, 0, None, None, None, None, None, None)
    return Figure(
        *key,
        len(known),
        values[-1],
        statistics.fmean(known),
        statistics.median(known),
        min(known),
        max(known),
        statistics.stdev(known) if len(known) > 1 else None,
    )


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
