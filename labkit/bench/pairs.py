"""Two arms in turn: machines are shared and their speed drifts, so only neighbours are compared."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MIN_PAIRS = 5

Arm = Callable[[], float]
"""Runs once and returns its figure: jobs a second, or milliseconds."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One turn of both arms."""

    ours: float
    reference: float

    @property
    def ratio(self) -> float:
        """Ours over the reference."""
        return self.ours / self.reference


@dataclass(frozen=True, slots=True)
class Comparison:
    """All turns of a comparison; `unit` is that of both figures."""

    name: str
    unit: str
    ours: str
    reference: str
    pairs: tuple[Pair, ...]

    @property
    def median(self) -> float:
        """The median of the ratios."""
        return statistics.median(pair.ratio for pair in self.pairs)

    def as_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "reference": self.reference,
            "pairs": [
                {
                    "ours": round(pair.ours, 3),
                    "reference": round(pair.reference, 3),
                    "ratio": round(pair.ratio, 3),
                }
                for pair in self.pairs
            ],
            "median_ratio": round(self.median, 3),
        }


def alternate(ours: Arm, reference: Arm, pairs: int, told: Callable[[Pair], None]) -> tuple[Pair, ...]:
    """Run both arms in turn, the first one changing places, after one warm-up of each that does not count."""
    ours()
    reference()
    found: list[Pair] = []
    for number in range(max(MIN_PAIRS, pairs)):
        figures = _turn([ours, reference], swapped=bool(number % 2))
        found.append(Pair(*figures))
        told(found[-1])
    return tuple(found)


def _turn(arms: Sequence[Arm], *, swapped: bool) -> list[float]:
    order = list(reversed(arms)) if swapped else list(arms)
    figures = [arm() for arm in order]
    return list(reversed(figures)) if swapped else figures
