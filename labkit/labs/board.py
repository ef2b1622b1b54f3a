"""The board of a class: who is where, and what was predicted, from the codes that students paste."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from labkit.analysis.statistics import percentile
from labkit.labs.codes import Choice, Code, Guess
from labkit.labs.content import Lab, Predict

MOST_BARS = 9
_ROUNDING = 1e-9
_NICE = (1.0, 2.0, 5.0, 10.0)

Truth = float | str | None


@dataclass(frozen=True, slots=True)
class Board:
    """The newest standing of each student in each lab; students in the order of the alphabet."""

    students: tuple[str, ...]
    labs: tuple[int, ...]
    standing: Mapping[tuple[str, int], Code]

    def of(self, student: str, lab: int) -> Code | None:
        """Return where a student stands in a lab; None if no code says so."""
        return self.standing.get((student, lab))

    def passed(self, lab: int) -> int:
        """Return how many have passed a lab."""
        return sum(code.done for (_, number), code in self.standing.items() if number == lab)

    def minutes(self, lab: int) -> float | None:
        """Return the median of the minutes of those who passed it by themselves; None without any."""
        found = [
            float(code.minutes)
            for (_, number), code in self.standing.items()
            if number == lab and code.done and not code.solved and code.minutes
        ]
        return percentile(found, 0.5) if found else None

    def guesses(self, lab: int, place: int) -> list[Guess]:
        """Return what was predicted to the question at `place` of a lab, without those who said nothing."""
        found = [self.of(student, lab) for student in self.students]
        said = [code.predictions[place] for code in found if code and place < len(code.predictions)]
        return [guess for guess in said if guess is not None]


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a histogram; right: the true answer is in it."""

    label: str
    count: int
    right: bool


@dataclass(frozen=True, slots=True)
class Histogram:
    """What a class predicted to one question. truth: empty where it is not known here."""

    lab: str
    question: str
    unit: str
    bars: tuple[Bar, ...]
    truth: str

    @property
    def given(self) -> int:
        """How many predicted."""
        return sum(bar.count for bar in self.bars)


def board(codes: Iterable[Code], labs: Iterable[int] = ()) -> Board:
    """Put codes together, whatever their order: of one student and lab the one with most checks counts."""
    best: dict[tuple[str, int], Code] = {}
    names: dict[str, str] = {}
    for code in codes:
        name = names.setdefault(code.student.casefold(), code.student or "?")
        key = (name, code.lab)
        best[key] = _better(best[key], code) if key in best else code
    numbers = sorted({*labs, *(number for _, number in best)})
    students = sorted(names.values(), key=str.casefold)
    return Board(tuple(students), tuple(numbers), best)


def histograms(found: Board, lab: Lab, truths: Mapping[str, float | str]) -> list[Histogram]:
    """Return one for each question of the lab that somebody predicted."""
    made = []
    for place, question in enumerate(lab.file.predict):
        guesses = found.guesses(int(lab.number), place)
        if guesses:
            made.append(histogram(lab, question, guesses, truths.get(question.id)))
    return made


def histogram(lab: Lab, question: Predict, guesses: Sequence[Guess], truth: Truth) -> Histogram:
    """Count the predictions to one question."""
    if question.kind == "choice":
        counts = Counter(guess.place for guess in guesses if isinstance(guess, Choice))
        bars = [Bar(text, counts[place], text == truth) for place, text in enumerate(question.choices)]
    else:
        values = [float(guess) for guess in guesses if isinstance(guess, int | float)]
        bars = _numbers(values, truth if isinstance(truth, float | int) else None, question.tolerance)
    said = "" if truth is None else truth if isinstance(truth, str) else f"{truth:.3g}"
    title = f"{lab.number} {lab.file.title}"
    return Histogram(title, question.question, question.unit, tuple(bars), said)


def _better(one: Code, other: Code) -> Code:
    """Prefer all checks, then more, then the later code; predictions that only one of them has are kept.

    READY, the code of the homework, has a single check: it is worth more than the first of three.
    """
    first, second = ((code.done, sum(code.passed)) for code in (one, other))
    chosen, rest = (one, other) if first > second else (other, one)
    silent = all(guess is None for guess in chosen.predictions)
    return replace(chosen, predictions=rest.predictions) if silent else chosen


def _numbers(values: Sequence[float], truth: float | None, tolerance: float) -> list[Bar]:
    """Return a bar for each value if they are few, else bars of one width; one for all right ones."""
    right = [value for value in values if truth is not None and abs(value - truth) <= tolerance + _ROUNDING]
    wrong = sorted(set(values) - set(right))
    counts = Counter(values)
    bars = [(value, Bar(f"{value:.3g}", counts[value], right=False)) for value in wrong]
    if len(wrong) >= MOST_BARS:
        bars = _binned([value for value in values if value not in right], wrong)
    if truth is not None:
        bars.append((truth, Bar(f"{truth:.3g}", len(right), right=True)))
    return [bar for _, bar in sorted(bars, key=lambda entry: (entry[0], not entry[1].right))]


def _binned(values: Sequence[float], distinct: Sequence[float]) -> list[tuple[float, Bar]]:
    """Return bars of one round width, each with its begin; what lies far out is in the first and the last."""
    low, width = _scale(distinct)
    edges = [low + number * width for number in range(MOST_BARS - 2)]
    bars = [(-math.inf, Bar(f"< {low:.4g}", sum(value < low for value in values), right=False))]
    for begin, end in pairwise(edges):
        count = sum(begin <= value < end for value in values)
        bars.append((begin, Bar(f"{begin:.4g} to {end:.4g}", count, right=False)))
    last = sum(value >= edges[-1] for value in values)
    bars.append((edges[-1], Bar(f"≥ {edges[-1]:.4g}", last, right=False)))
    return [(place, bar) for place, bar in bars if bar.count or "to" in bar.label]


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """Return the begin and a round width of bars that hold the middle eight tenths of the values."""
    first, last = percentile(values, 0.1), percentile(values, 0.9)
    least = max((last - first) / (MOST_BARS - 4), _ROUNDING)
    power = 10.0 ** math.floor(math.log10(least))
    width = next(power * step for step in _NICE if power * step >= least)
    return math.floor(first / width) * width, width
