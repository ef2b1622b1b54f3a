"""How far the difference of two set-ups is known, when each was measured in a few whole runs.

The unit is the run. Latencies of queued jobs hang together, so that single jobs are no independent samples.

With so few runs, drawing whole runs with replacement and taking percentiles of the difference is far too
sure of itself: with 3 a side it called equal set-ups different in 19 of 100 trials, instead of 5. Student's
t, on one value a run, did in 4 of 100. `tests/unit/test_intervals.py` repeats both trials.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_RUNS = 3
_TINY = 1e-300
_ROUNDS = 300


@dataclass(frozen=True, slots=True)
class Interval:
    """A range that holds the true difference with the confidence that was asked for; in the samples' unit."""

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside."""
        return value < self.low or value > self.high

    def within(self, margin: float) -> bool:
        """Whether all of it lies between -margin and margin."""
        return -margin <= self.low and self.high <= margin


def difference(before: Sequence[float], after: Sequence[float], confidence: float) -> Interval | None:
    """Return the interval of mean(after) - mean(before), a value a run; None with fewer than 3 runs a side.

    Source: Welch, "The generalization of Student's problem when several different population variances are
    involved", Biometrika 34, 1947; the degrees of freedom are Satterthwaite's.
    """
    if min(len(before), len(after)) < LEAST_RUNS:
        return None
    middle = statistics.fmean(after) - statistics.fmean(before)
    one, two = (statistics.variance(values) / len(values) for values in (before, after))
    if one + two <= 0:
        return Interval(middle, middle)
    freedom = (one + two) ** 2 / (one**2 / (len(before) - 1) + two**2 / (len(after) - 1))
    reach = t_quantile((1 + confidence) / 2, freedom) * math.sqrt(one + two)
    return Interval(middle - reach, middle + reach)


def t_quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t distribution, for a probability from 0.5 to below 1."""
    low, high = 0.0, 1.0
    while t_probability(high, freedom) < probability:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if t_probability(middle, freedom) < probability else (low, middle)
    return high


def t_probability(t: float, freedom: float) -> float:
    """Return the probability that a value of Student's t distribution does not exceed `t` (0 or more).

    Source: NIST Digital Library of Mathematical Functions, 8.17 (incomplete beta function).
    """
    return 1 - _beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2


def _beta(a: float, b: float, x: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # there the fraction converges quickly for the mirror image only
        return 1 - _beta(b, a, 1 - x)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(logarithm) / a / _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction 8.17.22, by Lentz's method."""
    value = numerator = 1.0
    denominator = 0.0
    for step in range(1, _ROUNDS):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        denominator = 1 / (1 + term * denominator or _TINY)
        numerator = 1 + term / numerator or _TINY
        value *= numerator * denominator
        if abs(numerator * denominator - 1) < 1e-13:  # noqa: PLR2004  (as exact as floats are)
            break
    return value
