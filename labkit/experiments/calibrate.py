"""What this machine can do: the service time of operations, and how much faster several processes are.

Cores that a container may use are counted, and then the speed-up is measured all the same: two threads of one
core are not two cores, and a shared machine has fewer than it says.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from labkit.cores import allowed_cores, is_busy, programs
from labkit.experiments import contained, timing
from labkit.experiments.declaration import Experiment, Load
from labkit.experiments.points import points
from labkit.experiments.timing import Task, Told, key

FORMAT = 1
FRESH_S = 3600.0
PROCESSES, MOST_PROCESSES = (2, 4), 8
LOCAL, DOCKER = "local", "docker"

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
    at: when it was measured, seconds since the epoch. runtime: local, or docker: in a container.
    """

    allowed: float
    services: Mapping[str, float] = field(default_factory=dict)
    speedup: Mapping[int, float] = field(default_factory=dict)
    at: float = 0.0
    quick: bool = True
    processor: str = ""
    programs: float | None = None
    runtime: str = LOCAL

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
        return self.services[key(name, operations)]

    def parallel(self, processes: int) -> float:
        """Return the speed-up of so many processes, or of the next smaller number that was measured."""
        measured = {1: 1.0, **self.speedup}
        return measured[max(count for count in measured if count <= max(1, processes))]

    def has(self, pairs: Iterable[Pair]) -> bool:
        """Whether it was measured here, lately, and with all these operations."""
        # What a container may use, only one of its kind could tell; that one is fresh has to do.
        here = self.runtime == DOCKER or self.allowed == allowed_cores()
        fresh = self.processor == platform.machine() and time.time() - self.at < FRESH_S
        return here and fresh and all(key(*pair) in self.services for pair in pairs)


def needed(experiments: Iterable[Experiment]) -> list[Pair]:
    """Return the pictures and operations of all loads that depend on this machine's speed."""
    loads = [load for one in experiments for load in _loads(one)]
    return list(dict.fromkeys((load.picture, name) for load in loads for name in load.operations))


def place(root: Path, runtime: str) -> Path:
    """Return where the calibration for the stacks of this runtime lies, in the folder of the kit."""
    return root / ".lab" / ("calibration-docker.json" if runtime == DOCKER else "calibration.json")


def ensure(path: Path, pairs: Collection[Pair], told: Told, runtime: str = LOCAL) -> Calibration:
    """Return the calibration of the file, measured anew, quickly, where it is old or lacks something.

    One that was measured while others used the cores is replaced as soon as they do not. Raises LabError
    when a container cannot run.
    """
    found = load(path)
    disturbed = found is not None and found.busy and not is_busy(programs(), allowed_cores())
    if found is None or disturbed or not found.has(pairs):
        found = calibrate(pairs, QUICK, told, runtime)
        save(path, found)
    return found


def calibrate(
    pairs: Collection[Pair], effort: Effort = FULL, told: Told = lambda _: None, runtime: str = LOCAL
) -> Calibration:
    """Measure where the workers of this runtime compute; `told` hears of each step. Raises LabError."""
    measure = contained.measure if runtime == DOCKER else timing.measure
    task = Task(list(pairs), effort.service_s, effort.window_s, effort.rounds, PROCESSES, MOST_PROCESSES)
    found = measure(task, told)
    return Calibration(**asdict(found), at=time.time(), quick=effort == QUICK, runtime=runtime)


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
