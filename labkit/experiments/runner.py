"""Runs an experiment: stack into the declared state, load, faults; then expected beside measured."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from labkit.access import Access
from labkit.cores import allowed_cores, is_busy, programs
from labkit.experiments import measures, result
from labkit.experiments.calibrate import Calibration
from labkit.experiments.declaration import Expect, Experiment, Part
from labkit.experiments.expectation import Line, Value, expected, judge, known
from labkit.experiments.plan import arrivals, workload
from labkit.experiments.points import Point, points
from labkit.experiments.result import Ran, Result
from labkit.experiments.staging import prepare, remember, require_idle, restore
from labkit.load.session import Progress
from labkit.measure import Measured, measure
from labkit.runs import RUNS
from labkit.runs.read import RunFiles
from labkit.runtime.base import Runtime

BUSY = "this machine was busy"
BUSY_BEFORE = "this machine was busy when its speed was measured"
TIMED = ("s", "ms", "/s", "x", "%")
"""Units of what a busy machine spoils."""


@dataclass(frozen=True, slots=True)
class Now:
    """Which run is under way: its number of all, and how far it is; None while the stack is made ready."""

    number: int
    of: int
    title: str
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """The points of a part, and what was measured at each: one entry a repeat, in the order of the points.

    busy: whether other programs wanted the cores. doubt: why nothing can be judged by this machine's speed,
    empty if it can.
    """

    part: Part
    points: Sequence[Point]
    repeats: int
    runs: list[list[measures.Run]]
    busy: bool = False
    doubt: str = ""


class Runner:
    """Runs experiments on a stack that is up.

    `told` hears of progress, `machine` is needed by experiments that depend on this machine's speed.
    """

    def __init__(
        self,
        runtime: Runtime,
        access: Access,
        *,
        machine: Calibration | None = None,
        told: Callable[[Now], None] = lambda _: None,
        runs: Path = RUNS,
    ) -> None:
        self._runtime = runtime
        self._access = access
        self._machine = machine
        self._told = told
        self._runs = runs

    def run(
        self, experiment: Experiment, *, repeats: int | None = None, quick: bool = False
    ) -> tuple[Path, Result]:
        """Run all parts, and return the folder of the result with it; the stack is as before afterwards.

        `repeats` instead of the declared ones; quick: one repeat, and shorter image loads. Raises LabError.
        """
        require_idle(self._access)
        plan = [self._series(part, repeats, quick=quick) for part in experiment.parts]
        machine = None if self._machine is None else asdict(self._machine)
        found = result.begin(experiment.name, quick=quick, calibration=machine)
        folder = result.make_folder(experiment.name, self._runs)
        try:
            with self._restored():
                for so_far in self._each(experiment, plan, found):
                    found = so_far
                    result.write(folder, found)
        except BaseException:
            result.write(folder, found.having("interrupted"))
            raise
        found = found.having("finished")
        result.write(folder, found)
        return folder, found

    def _series(self, part: Part, repeats: int | None, *, quick: bool) -> Series:
        found = points(part, self._machine, quick=quick)
        return Series(
            part,
            found,
            repeats or (1 if quick else part.repeats),
            [[] for _ in found],
            busy=is_busy(programs(), allowed_cores()),
            doubt=BUSY_BEFORE if self._machine is not None and self._machine.busy else "",
        )

    @contextmanager
    def _restored(self) -> Iterator[None]:
        before = remember(self._runtime, self._access)
        try:
            yield
        finally:
            restore(self._runtime, self._access, before)

    def _each(self, experiment: Experiment, plan: Sequence[Series], found: Result) -> Iterator[Result]:
        """Give the result after each run. Points take turns, so that a drift of the machine meets all."""
        turns = [
            (series, repeat, number)
            for series in plan
            for repeat in range(1, series.repeats + 1)
            for number in range(len(series.points))
        ]
        for count, (series, repeat, number) in enumerate(turns, start=1):
            point = series.points[number]
            now = Now(count, len(turns), _title(series, point, repeat))
            measured = self._measure(experiment, point, repeat, now)
            series.runs[number].append(measures.Run.of(measured.records))
            ran = _ran(point, repeat, measured)
            lines = tuple(line for each in plan for line in compare(each))
            found = replace(found, runs=(*found.runs, ran), lines=lines)
            yield found

    def _measure(self, experiment: Experiment, point: Point, repeat: int, now: Now) -> Measured:
        self._told(now)
        part = point.part
        prepare(self._runtime, self._access, part.stack, part.chaos)
        return measure(
            self._runtime,
            self._access,
            workload(part.load, point.jobs),
            arrivals(part.load, point.jobs),
            name=_slug(experiment.name, part.name, point.label),
            settings={
                "experiment": experiment.name,
                "part": part.name,
                "point": point.label,
                "repeat": repeat,
                "chaos": part.chaos.model_dump(),
                "settings": dict(part.stack.settings),
            },
            watch=lambda progress: self._told(replace(now, progress=progress)),
            timeline=[fault.action() for fault in part.faults],
            runs=self._runs,
        )


def compare(series: Series) -> list[Line]:
    """Return the lines of a part, as far as it has been measured."""
    lines: list[Line] = []
    for number, point in enumerate(series.points):
        due = [line for line in series.part.expect if not line.at or point.value in line.at]
        lines += [_line(series, number, wanted.measure, wanted) for wanted in due]
        lines += [_line(series, number, name, None) for name in series.part.observe]
    return lines


def values(series: Series, number: int, name: str) -> list[Value]:
    """Return a measure at one point, one value a repeat."""
    if name != measures.SPEEDUP:
        return [measures.measure(name, run) for run in series.runs[number]]
    firsts, these = (values(series, index, "duration_s") for index in (0, number))
    return [_ratio(first, this) for first, this in zip(firsts, these, strict=False)]


def _line(series: Series, number: int, name: str, wanted: Expect | None) -> Line:
    point, found = series.points[number], values(series, number, name)
    numbers = known(found)
    target = expected(wanted, point.names) if wanted else None
    verdict, why = judge(target, found, compared=name == measures.SPEEDUP) if target else (None, "")
    if wanted and wanted.calibrated and series.doubt:
        verdict, why = "unknown", series.doubt
    # What takes too long while others use the cores tells of them, and not of queues.
    if verdict == "off" and series.busy and measures.find(name).unit in TIMED:
        verdict, why = "unknown", BUSY
    if target is None and not numbers:
        why = next((value.why for value in found if value.why), "")
    return Line(
        part=series.part.name,
        point=point.label,
        value=point.value,
        measure=name,
        unit=measures.find(name).unit,
        expected=target,
        measured=statistics.median(numbers) if numbers else None,
        repeats=numbers,
        verdict=verdict,
        why=why,
    )


def _ratio(first: Value, this: Value) -> Value:
    if not first.number or not this.number:
        return Value(None, first.why or this.why)
    return Value(first.number / this.number)


def _ran(point: Point, repeat: int, measured: Measured) -> Ran:
    refusals = measures.refusals(measured.records)
    trouble = tuple(mark.text for mark in RunFiles(measured.run).marks if mark.kind == "note")
    return Ran(point.part.name, point.label, repeat, measured.run.name, refusals, trouble)


def _title(series: Series, point: Point, repeat: int) -> str:
    words = [
        point.part.name,
        point.label,
        f"repeat {repeat} of {series.repeats}" if series.repeats > 1 else "",
    ]
    return ", ".join(filter(None, words))


def _slug(*words: str) -> str:
    """Return the name of a run's directory: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
