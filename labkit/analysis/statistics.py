"""The few statistics that the kit reports; anything more belongs into a notebook."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], q: float) -> float:
    """Return the nearest-rank percentile, `q` from 0 to 1: the smallest value that q of all do not exceed.

    Source: nearest-rank method, https://en.wikipedia.org/wiki/Percentile. Raise ValueError without values.
    """
    if not values:
        raise ValueError("a percentile needs at least one value")
    return sorted(values)[_place(q, len(values))]


def samples_needed(q: float) -> int:
    """Return how many samples the percentile `q` needs to mean something: ten beyond it."""
    return math.ceil(round(10 / (1 - q), 6))


PERCENTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A duration over many samples, in milliseconds; None without a sample, or (stdev) with only one.

    few: the percentiles that rest on too few samples to mean much.
    """

    samples: int = 0
    mean_ms: float | None = None
    min_ms: float | None = None
    max_ms: float | None = None
    stdev_ms: float | None = None
    p50_ms: float | None = None
    p75_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    few: tuple[str, ...] = tuple(PERCENTILES)


def spread(seconds: Sequence[float]) -> Spread:
    """Return the spread of durations; stdev is that of a sample (n - 1 in the denominator)."""
    if not seconds:
        return Spread()
    ranked = sorted(1000 * value for value in seconds)
    found = {name: ranked[_place(q, len(ranked))] for name, q in PERCENTILES.items()}
    return Spread(
        samples=len(ranked),
        mean_ms=statistics.fmean(ranked),
        min_ms=ranked[0],
        max_ms=ranked[-1],
        stdev_ms=statistics.stdev(ranked) if len(ranked) > 1 else None,
        p50_ms=found["p50"],
        p75_ms=found["p75"],
        p90_ms=found["p90"],
        p95_ms=found["p95"],
        p99_ms=found["p99"],
        few=tuple(name for name, q in PERCENTILES.items() if len(ranked) < samples_needed(q)),
    )


def _place(q: float, count: int) -> int:
    # Rounded first: 0.07 * 100 is a little more than 7, and would be the eighth.
    return max(0, math.ceil(round(q * count, 9)) - 1)
