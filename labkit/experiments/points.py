"""From a part to its points: one value of the sweep each, and the numbers that formulas may name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from labkit.errors import BadValue
from labkit.experiments.declaration import Load, Number, Part
from services.common.topology import IMAGE_POOLS

QUICK_SHARE = 0.3


class Machine(Protocol):
    """What calibration knows of this machine."""

    @property
    def cores(self) -> float:
        """How many cores can really be used."""

    def service_s(self, picture: str, operations: str) -> float:
        """Return how long one core needs for the operations, seconds."""

    def parallel(self, processes: int) -> float:
        """Return how many times as fast so many processes are as one."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a part: the part with one value of its sweep put in.

    names: what its formulas may use. jobs: how many it sends.
    """

    part: Part
    label: str
    value: Number | None
    jobs: int
    names: Mapping[str, float]


def points(part: Part, machine: Machine | None, *, quick: bool = False) -> list[Point]:
    """Return the points of a part, in the order of its sweep.

    `machine` may be None for a part that needs no calibration. Raises BadValue.
    """
    if part.sweep is None:
        return [_point(part, "", None, machine, quick=quick)]
    return [
        _point(
            _put(part, part.sweep.what, value),
            f"{part.sweep.name} {value}",
            value,
            machine,
            quick=quick,
        )
        for value in part.sweep.values
    ]


def _put(part: Part, path: str, value: Number) -> Part:
    """Return the part with another value at the path, which must lead to a field."""
    content: dict[str, Any] = part.model_dump()
    *way, last = path.split(".")
    place: Any = content
    for step in way:
        place = place[int(step)] if step.isdecimal() else place.get(step)
        if place is None:
            raise BadValue(f"The sweep's path {path!r} leads nowhere.", "Mend the file.")
    place[last] = (value,) if isinstance(place.get(last), tuple) else value
    return Part.model_validate(content)


def _point(part: Part, label: str, value: Number | None, machine: Machine | None, *, quick: bool) -> Point:
    calibrated = _calibrated(part, machine) if part.needs_calibration and machine else {}
    jobs = _jobs(part.load, calibrated, quick=quick)
    return Point(part, label, value, jobs, {**_numbers(part), **calibrated, "jobs": float(jobs)})


def _jobs(load: Load, calibrated: Mapping[str, float], *, quick: bool) -> int:
    if load.jobs or load.size:
        return load.jobs or load.size * load.count
    seconds = load.seconds * (QUICK_SHARE if quick else 1)
    turn = len(load.operations)
    return max(1, math.ceil(seconds / calibrated["service_s"] / turn)) * turn if calibrated else 0


def _calibrated(part: Part, machine: Machine) -> dict[str, float]:
    load = part.load
    services = [machine.service_s(load.picture, operations) for operations in load.operations]
    return {
        "service_s": sum(services) / len(services),
        "fastest_s": min(services),
        "slowest_s": max(services),
        "total_s": sum(services),
        "parallel": machine.parallel(part.stack.workers),
        "cores": machine.cores,
    }


def _numbers(part: Part) -> dict[str, float]:
    stack, load, chaos = part.stack, part.load, part.chaos
    found = {
        "workers": stack.workers,
        "prefetch": stack.prefetch,
        "concurrency": stack.concurrency,
        "work_s": sum(load.work_s) / len(load.work_s),
        "senders": load.senders,
        "size": load.size,
        "count": load.count,
        "every_s": load.every_s,
        "corrupt": load.corrupt,
        "fail_rate": chaos.fail_rate,
    }
    if stack.layout == "per-operation":
        found |= {f"{pool}_workers": stack.pools.get(pool, 1) for pool in IMAGE_POOLS}
    delays = {f"{name}_delay_s": seconds for name, seconds in chaos.delays_s.items()}
    return {name: float(number) for name, number in {**found, **delays}.items()}
