"""Measures the computer that it runs on: this one, or a container of the services' image.

In a container there are only the packages of the services, so it imports little.
`python -m labkit.experiments.timing` reads what to measure from standard input.
"""

from __future__ import annotations

import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass

from labkit.cores import allowed_cores, programs
from labkit.experiments.parallel import speedups
from labkit.experiments.pictures import picture
from services.worker.processors import parse_operations, process

LEAST_TURNS = 3
"""A median of fewer is none."""

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Task:
    """What to measure: pairs of picture and operations, each for `service_s` seconds; then the speed-up.

    It is measured with so many `processes`, and with as many as there are cores, but not more than `most`;
    for `window_s` seconds, `rounds` times.
    """

    pairs: Sequence[tuple[str, str]]
    service_s: float
    window_s: float
    rounds: int
    processes: Sequence[int]
    most: int


@dataclass(frozen=True, slots=True)
class Timing:
    """What was measured: see `Calibration`."""

    allowed: float
    services: dict[str, float]
    speedup: dict[int, float]
    processor: str
    programs: float | None


def measure(task: Task, told: Told) -> Timing:
    """Measure; `told` hears of each step."""
    allowed, waiting = allowed_cores(), programs()
    counts = sorted({*task.processes, min(task.most, math.ceil(allowed))} - {1})
    return Timing(
        allowed=allowed,
        services=_services(task.pairs, task.service_s, told),
        speedup=speedups(counts, task.window_s, task.rounds, told),
        processor=platform.machine(),
        programs=waiting,
    )


def key(picture_name: str, operations: str) -> str:
    """Name a pair in a table."""
    return f"{picture_name}|{operations}"


def _services(pairs: Collection[tuple[str, str]], seconds: float, told: Told) -> dict[str, float]:
    """Return the median time of one job of each pair, in this process.

    They take turns, so that a slow moment of a shared machine meets them all.
    """
    work = {key(*pair): (picture(pair[0]), parse_operations(pair[1])) for pair in pairs}
    times: dict[str, list[float]] = {name: [] for name in work}
    end = time.perf_counter() + seconds * len(work)
    turn = 0
    while work and (turn <= LEAST_TURNS or time.perf_counter() < end):
        told(f"operations, turn {turn + 1}")
        for name, (data, operations) in work.items():
            begun = time.perf_counter()
            process(data, operations)
            times[name].append(time.perf_counter() - begun)
        turn += 1
    # The first turn loads libraries.
    return {name: statistics.median(found[1:]) for name, found in times.items()}


def main() -> None:
    """Do the task of standard input; progress goes to standard error, the result to standard output."""
    fields = json.load(sys.stdin)
    task = Task(**{**fields, "pairs": [tuple(pair) for pair in fields["pairs"]]})
    found = measure(task, lambda text: print(text, file=sys.stderr, flush=True))  # noqa: T201 - its reader waits
    print(json.dumps(asdict(found)))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
