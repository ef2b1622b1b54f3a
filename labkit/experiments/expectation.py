"""Expected beside measured: ok, off, or unknown when too little is known to say."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from labkit.errors import BadValue
from labkit.experiments.declaration import Expect, Formula, Number
from labkit.experiments.formulas import evaluate

Verdict = Literal["ok", "off", "unknown"]

COMPARED_REPEATS = 3
"""Fewer repeats of both set-ups cannot tell a difference from the drift of a shared machine."""


@dataclass(frozen=True, slots=True)
class Value:
    """A measured number, or the reason why there is none."""

    number: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """What is expected; None on a side means no bound. target: the number in the middle, if one was said."""

    low: float | None
    high: float | None
    target: float | None = None

    def holds(self, number: float) -> bool:
        """Whether the number lies within, bounds included."""
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)


@dataclass(frozen=True, slots=True)
class Line:
    """One measure at one point. expected: None for an observation, whose verdict is None too.

    repeats: the number of each repeat that has one; measured is their median.
    """

    part: str
    point: str
    value: Number | None
    measure: str
    unit: str
    expected: Range | None
    measured: float | None
    repeats: tuple[float, ...]
    verdict: Verdict | None
    why: str = ""


def expected(line: Expect, names: Mapping[str, float]) -> Range:
    """Return the range of a line, its tolerance added on both sides. Raises BadValue."""

    def value(formula: Formula) -> float:
        return evaluate(formula, names)

    if line.equals is not None:
        target = value(line.equals)
        return Range(target - _slack(line, target), target + _slack(line, target), target)
    if line.between is not None:
        low, high = map(value, line.between)
        return Range(low - _slack(line, low), high + _slack(line, high))
    if line.at_least is not None:
        low = value(line.at_least)
        return Range(low - _slack(line, low), None)
    if line.at_most is not None:
        high = value(line.at_most)
        return Range(None, high + _slack(line, high))
    raise BadValue(f"The line about {line.measure!r} expects nothing.", "Mend the file.")


def judge(wanted: Range, measured: Sequence[Value], *, compared: bool) -> tuple[Verdict, str]:
    """Return the verdict over all repeats, and why it is unknown.

    compared: the number compares two set-ups, so it takes several repeats that agree; else the median counts.
    """
    numbers = known(measured)
    if not numbers:
        return "unknown", next((value.why for value in measured if value.why), "it was not measured")
    if compared:
        return _compare(wanted, numbers)
    return ("ok", "") if wanted.holds(statistics.median(numbers)) else ("off", "")


def _compare(wanted: Range, numbers: Sequence[float]) -> tuple[Verdict, str]:
    """Judge a comparison: its repeats must be enough, and agree."""
    if len(numbers) < COMPARED_REPEATS:
        return "unknown", f"{len(numbers)} of {COMPARED_REPEATS} repeats that a comparison needs"
    if all(map(wanted.holds, numbers)):
        return "ok", ""
    above = all(wanted.high is not None and number > wanted.high for number in numbers)
    below = all(wanted.low is not None and number < wanted.low for number in numbers)
    if above or below:
        return "off", ""
    return "unknown", f"its repeats do not agree: {min(numbers):.2f} to {max(numbers):.2f}"


def known(measured: Sequence[Value]) -> tuple[float, ...]:
    """Return the numbers among the values."""
    return tuple(value.number for value in measured if value.number is not None)


def overall(lines: Sequence[Line]) -> bool | None:
    """Return True when all lines are ok, False when one is off, else None."""
    verdicts = [line.verdict for line in lines if line.verdict]
    if "off" in verdicts:
        return False
    return None if "unknown" in verdicts or not verdicts else True


def _slack(line: Expect, number: float) -> float:
    if isinstance(line.tolerance, str):
        return abs(number) * float(line.tolerance.rstrip("%")) / 100
    return line.tolerance
