"""What this machine can do: the service time of operations, and how much faster several processes are.

Cores that a container may use are counted, and then the speed-up is measured all the same: two threads of one
core are not two cores, and a shared machine has fewer than it says.
"""

from __future__ import annotations

import json
import math
import platform
import statistics
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from labkit.cores import allowed_cores, is_busy, programs
from labkit.experiments.declaration import Experiment, Load
from labkit.experiments.parallel import speedups
from labkit.experiments.pictures import picture
from labkit.experiments.points import points
from services.worker.processors import parse_operations, process

FORMAT = 1
FRESH_S = 3600.0
PROCESSES, MOST_PROCESSES = (2, 4), 8

LEAST_TURNS = 3
"""A median of fewer is none."""

Told = Callable[[str], None]
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long each figure is measured, seconds, and how often a speed-up is."""

    service_s: float
    window_s: float
    rounds: int


QUICK = Effort(service_s=0.6, window_s=1.0, rounds=1)
FULL = Effort(service_s=2.0, window_s=2.0, rounds=3)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured. services: "picture|operations" → seconds. speedup: processes → times as fast as one.

    allowed: cores that may be used, by limits. programs: how many wanted a core before, None if not known.
    at: when it was measured, seconds since the epoch.
    """

    allowed: float
    services: Mapping[str, float] = field(default_factory=dict)
    speedup: Mapping[int, float] = field(default_factory=dict)
    at: float = 0.0
    quick: bool = True
    processor: str = ""
    programs: float | None = None

    @property
    def busy(self) -> bool:
        """Whether others used the cores meanwhile, so that the figures say little."""
        return is_busy(self.programs, self.allowed)

    @property
    def cores(self) -> float:
        """Cores that can really be used: the best speed-up that was seen."""
        return max([1.0, *self.speedup.values()])

    def service_s(self, name: str, operations: str) -> float:
        """Return the service time that was measured. Raises KeyError."""
        return self.services[_key((name, operations))]

    def parallel(self, processes: int) -> float:
        """Return the speed-up of so many processes, or of the next smaller number that was measured."""
        measured = {1: 1.0, **self.speedup}
        return measured[max(count for count in measured if count <= max(1, processes))]

    def has(self, pairs: Iterable[Pair]) -> bool:
        """Whether it was measured here, lately, and with all these operations."""
        here = (self.allowed, self.processor) == (allowed_cores(), platform.machine())
        return here and time.time() - self.at < FRESH_S and all(_key(pair) in self.services for pair in pairs)


def needed(experiments: Iterable[Experiment]) -> list[Pair]:
    """Return the pictures and operations of all loads that depend on this machine's speed."""
    loads = [load for one in experiments for load in _loads(one)]
    return list(dict.fromkeys((load.picture, name) for load in loads for name in load.operations))


def ensure(path: Path, pairs: Collection[Pair], told: Told) -> Calibration:
    """Return the calibration of the file, measured anew, quickly, where it is old or lacks something.

    One that was measured while others used the cores is replaced as soon as they do not.
    """
    found = load(path)
    disturbed = found is not None and found.busy and not is_busy(programs(), allowed_cores())
    if found is None or disturbed or not found.has(pairs):
        found = calibrate(pairs, QUICK, told)
        save(path, found)
    return found


def calibrate(pairs: Collection[Pair], effort: Effort = FULL, told: Told = lambda _: None) -> Calibration:
    """Measure; `told` hears of each step."""
    allowed, waiting = allowed_cores(), programs()
    services = _services(pairs, effort.service_s, told)
    counts = sorted({*PROCESSES, min(MOST_PROCESSES, math.ceil(allowed))} - {1})
    return Calibration(
        allowed=allowed,
        services=services,
        speedup=speedups(counts, effort.window_s, effort.rounds, told),
        at=time.time(),
        quick=effort == QUICK,
        processor=platform.machine(),
        programs=waiting,
    )


def load(path: Path) -> Calibration | None:
    """Read the file; None when there is none that can be used."""
    try:
        content = json.loads(path.read_text())
        if content.pop("format") != FORMAT:
            return None
        content["speedup"] = {int(count): ratio for count, ratio in content["speedup"].items()}
        return Calibration(**content)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(path: Path, found: Calibration) -> None:
    """Write the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps({"format": FORMAT, **asdict(found)}, indent=2) + "\n")
    draft.replace(path)


def _loads(experiment: Experiment) -> Iterable[Load]:
    for part in experiment.parts:
        if part.needs_calibration:
            yield from (point.part.load for point in points(part, None))


def _key(pair: Pair) -> str:
    return "|".join(pair)


def _services(pairs: Collection[Pair], seconds: float, told: Told) -> dict[str, float]:
    """Return the median time of one job of each pair, in this process.

    They take turns, so that a slow moment of a shared machine meets them all.
    """
    work = {_key(pair): (picture(pair[0]), parse_operations(pair[1])) for pair in pairs}
    times: dict[str, list[float]] = {key: [] for key in work}
    end = time.perf_counter() + seconds * len(work)
    turn = 0
    while work and (turn <= LEAST_TURNS or time.perf_counter() < end):
        told(f"operations, turn {turn + 1}")
        for key, (data, operations) in work.items():
            begun = time.perf_counter()
            process(data, operations)
            times[key].append(time.perf_counter() - begun)
        turn += 1
    # The first turn loads libraries.
    return {key: statistics.median(found[1:]) for key, found in times.items()}
