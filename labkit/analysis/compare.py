"""Do two set-ups differ? Each is a set of whole runs; four figures are compared, and one sentence says it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from labkit.analysis.intervals import LEAST_RUNS, Interval, difference
from labkit.analysis.statistics import samples_needed
from labkit.errors import NoRun
from labkit.runs.read import RunFiles

CONFIDENCE = 0.95
MARGIN = 0.1
"""Set-ups whose figures are known to be nearer than that, as a share of A's, count as alike."""

_LOAD = ("workload", "jobs", "arrivals")
_NO_SETUP = ("seed", "repeat")


@dataclass(frozen=True, slots=True)
class Figure:
    """What is compared: how to get it from a run's summary, its unit, and words for more and less of it."""

    name: str
    unit: str
    get: Callable[[Mapping[str, Any]], float | None]
    more: str
    less: str


def _latency(name: str) -> Callable[[Mapping[str, Any]], float | None]:
    return lambda summary: (summary.get("latency") or {}).get(name)


FIGURES = (
    Figure("throughput", "jobs/s", lambda summary: summary.get("good_per_s"), "higher", "lower"),
    Figure("P50", "ms", _latency("p50_ms"), "longer", "shorter"),
    Figure("P95", "ms", _latency("p95_ms"), "longer", "shorter"),
    Figure("mean", "ms", _latency("mean_ms"), "longer", "shorter"),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of both sides: the means over their runs, and the interval of B - A.

    differs: True, False (alike within the margin), or None: the runs do not tell.
    """

    figure: Figure
    before: float
    after: float
    interval: Interval | None

    @property
    def change(self) -> float | None:
        """(B - A) / A; None where A is 0."""
        return (self.after - self.before) / self.before if self.before else None

    @property
    def differs(self) -> bool | None:
        """Whether B differs from A."""
        if self.interval is None:
            return None
        if self.interval.excludes(0):
            return True
        return False if self.interval.within(MARGIN * abs(self.before)) else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sets of runs side by side. The intervals of all figures together hold with `CONFIDENCE`."""

    before: tuple[RunFiles, ...]
    after: tuple[RunFiles, ...]
    figures: tuple[Compared, ...]
    notes: tuple[str, ...]

    @property
    def differs(self) -> bool | None:
        """True: some figure differs. False: all are alike. None: too little is known."""
        if any(found.differs for found in self.figures):
            return True
        alike = self.figures and all(found.differs is False for found in self.figures)
        return False if alike else None

    @property
    def sentence(self) -> str:
        """The answer, in a sentence."""
        if not self.figures:
            return "Unknown: one side has no completed jobs."
        if any(found.interval is None for found in self.figures):
            counts = f"A has {len(self.before)}, B has {len(self.after)}"
            return f"Unknown: it takes {LEAST_RUNS} runs of each to tell chance from change; {counts}."
        if self.differs is None:
            return "Unknown: the runs of one side differ too much among themselves. More runs would tell."
        if self.differs is False:
            return f"No difference: all figures of A and B are alike within {100 * MARGIN:.0f}%."
        parts = (_phrase(found) for found in self.figures if found.differs)
        return f"They differ: with B, {', '.join(parts)}."


def compare(before: Sequence[RunFiles], after: Sequence[RunFiles]) -> Comparison:
    """Compare two sets of runs, A (before) and B (after)."""
    found = tuple(made for figure in FIGURES if (made := _compared(figure, before, after)) is not None)
    return Comparison(tuple(before), tuple(after), found, tuple(_notes(before, after)))


def pair(runs: Sequence[RunFiles]) -> tuple[list[RunFiles], list[RunFiles]]:
    """Return the last two set-ups that did the same work, each with all its runs; `runs`: newest first.

    When there is only one set-up, its last two runs. Raises NoRun when there is nothing to compare.
    """
    done = [run for run in runs if run.state == "finished"]
    for index, run in enumerate(done):
        alike = [other for other in done[index + 1 :] if load_of(other) == load_of(run)]
        others = [other for other in alike if setup_of(other) != setup_of(run)]
        if others:
            return repeats(others[0], done), repeats(run, done)
        if alike:
            return [alike[0]], [run]
    raise NoRun("There are no two finished runs of the same work.", "Make them: labctl demo, and once more")


def repeats(run: RunFiles, runs: Sequence[RunFiles]) -> list[RunFiles]:
    """Return all finished runs of the same name and set-up, `run` among them."""
    return [other for other in runs if other.state == "finished" and setup_of(other) == setup_of(run)]


def setup_of(run: RunFiles) -> str:
    """Return what runs must share to be repeats: name and settings, but for the seed."""
    settings = {name: value for name, value in run.settings.items() if name not in _NO_SETUP}
    return json.dumps([run.name, settings], sort_keys=True, default=str)


def load_of(run: RunFiles) -> str:
    """Return what runs must share to be compared: the work that was asked of them."""
    return json.dumps([run.settings.get(name) for name in _LOAD], default=str)


def _compared(figure: Figure, before: Sequence[RunFiles], after: Sequence[RunFiles]) -> Compared | None:
    sides = [[value for run in runs if (value := figure.get(run.summary))] for runs in (before, after)]
    if not all(sides):
        return None
    one, two = sides
    # The figures share the error that is allowed (Bonferroni), so that all intervals hold at once.
    confidence = 1 - (1 - CONFIDENCE) / len(FIGURES)
    return Compared(figure, fmean(one), fmean(two), difference(one, two, confidence))


def _phrase(found: Compared) -> str:
    change = found.change or 0.0
    size = f"{abs(1 + change):.1f} times as " if change > 1 else f"{100 * abs(change):.0f}% "
    figure = found.figure
    word = figure.more if change > 0 else figure.less
    if change > 1:
        word = {"higher": "high", "longer": "long"}[figure.more]
    name = "throughput" if figure.name == "throughput" else f"{figure.name} latency"
    return f"{name} is {size}{word}"


def _notes(before: Sequence[RunFiles], after: Sequence[RunFiles]) -> list[str]:
    everyone = [*before, *after]
    notes = []
    if len({load_of(run) for run in everyone}) > 1:
        notes.append("These runs did different work; a difference may come from that alone.")
    if len({json.dumps(run.about.get("machine"), sort_keys=True) for run in everyone}) > 1:
        notes.append("These runs are from different machines, or from one that was changed.")
    if any(run.state != "finished" for run in everyone):
        notes.append("A run was interrupted: its figures are those of its beginning.")
    if any((run.ledger.get("completed") or 0) < (run.ledger.get("attempted") or 0) for run in everyone):
        notes.append("Not all jobs were completed; the figures are those of the jobs that were.")
    if min(len(before), len(after)) >= LEAST_RUNS and not _alternating(before, after):
        notes.append("The runs did not alternate: a machine that slowed down meanwhile would look the same.")
    if min((run.summary.get("completed") or 0) for run in everyone) < samples_needed(0.95):
        notes.append("P95 of fewer than 200 jobs a run: few samples.")
    return notes


def _alternating(before: Sequence[RunFiles], after: Sequence[RunFiles]) -> bool:
    """Whether the sides took turns: neither has three runs on end."""
    turns = sorted(
        [(str(run.about.get("begun")), "A") for run in before]
        + [(str(run.about.get("begun")), "B") for run in after]
    )
    order = "".join(side for _, side in turns)
    return "AAA" not in order and "BBB" not in order
