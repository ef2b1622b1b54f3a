"""Intervals of a difference, and how often they are wrong."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.analysis.intervals import Interval, difference, t_probability, t_quantile
from labkit.analysis.statistics import percentile

_VALUES = st.lists(st.floats(0.1, 1e4), min_size=3, max_size=6)
Draw = Callable[[random.Random], float]


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.975, 4, 2.776),
        (0.95, 10, 1.812),
        (0.995, 4, 4.604),
        (0.975, 30, 2.042),
        (0.975, 1e6, 1.960),
        (0.5, 3, 0.0),
    ],
)
def test_quantiles_of_students_t(probability: float, freedom: float, expected: float) -> None:
    """As in the table that every textbook has."""
    assert t_quantile(probability, freedom) == pytest.approx(expected, abs=5e-4)


@given(t=st.floats(0, 50), freedom=st.floats(1, 200))
def test_quantile_and_probability_undo_each_other(t: float, freedom: float) -> None:
    """The quantile of a value's probability is the value, as far as a float can tell it from 1."""
    probability = t_probability(t, freedom)
    assert 0.5 <= probability <= 1
    if probability < 1 - 1e-9:
        assert t_quantile(probability, freedom) == pytest.approx(t, rel=1e-4, abs=1e-6)


def test_two_runs_have_no_interval() -> None:
    """Two runs do not tell chance from change."""
    assert difference([1, 2], [3, 4, 5], 0.95) is None
    assert difference([1, 2, 3], [3, 4], 0.95) is None


def test_an_interval_by_hand() -> None:
    """Equal variances of 1, three a side: 2.776 * sqrt(2/3) either way."""
    found = difference([1, 2, 3], [11, 12, 13], 0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((10 - 2.2666, 10 + 2.2666), abs=1e-3)


def test_values_that_do_not_vary() -> None:
    """Where all runs agree, the difference is known exactly."""
    assert difference([1, 1, 1], [2, 2, 2], 0.95) == Interval(1, 1)


@given(before=_VALUES, after=_VALUES, shift=st.floats(-100, 100))
def test_intervals_behave(before: list[float], after: list[float], shift: float) -> None:
    """They hold the difference, turn with the sides, widen with confidence, and move with the values."""
    found, turned = difference(before, after, 0.95), difference(after, before, 0.95)
    wider = difference(before, after, 0.99)
    moved = difference(before, [value + shift for value in after], 0.95)
    assert found and turned and wider and moved  # noqa: PT018  (none of them is None)
    middle = statistics.fmean(after) - statistics.fmean(before)
    slack = 1e-6 * (1 + abs(found.low) + abs(found.high))
    assert found.low - slack <= middle <= found.high + slack
    assert turned.low == pytest.approx(-found.high, abs=slack)
    assert wider.low <= found.low + slack
    assert wider.high >= found.high - slack
    assert moved.high - shift == pytest.approx(found.high, abs=slack + 1e-6 * abs(shift))


def test_what_an_interval_says() -> None:
    """It excludes what lies outside, and is within a margin when both ends are."""
    assert Interval(1, 2).excludes(0)
    assert not Interval(-1, 2).excludes(0)
    assert Interval(-1, 2).within(2)
    assert not Interval(-1, 2).within(1.5)


def _queue(chance: random.Random) -> float:
    """Return the P95 of 300 jobs of one simulated M/M/1 queue at utilisation 0.8, begun anew."""
    wait, found = 0.0, []
    for _ in range(300):
        service = chance.expovariate(1.0)
        found.append(wait + service)
        wait = max(0.0, wait + service - chance.expovariate(0.8))
    return percentile(found, 0.95)


def _wrong(draw: Draw, runs: int, trials: int, confidence: float = 0.95) -> float:
    """Return the share of trials in which two equal set-ups are called different."""
    chance = random.Random(1)
    wrong = 0
    for _ in range(trials):
        before, after = ([draw(chance) for _ in range(runs)] for _ in range(2))
        found = difference(before, after, confidence)
        wrong += found is not None and found.excludes(0)
    return wrong / trials


@pytest.mark.parametrize(
    ("draw", "runs", "trials"),
    [
        (lambda chance: chance.gauss(10, 1), 3, 1500),
        (lambda chance: chance.gauss(10, 1), 6, 1500),
        (lambda chance: chance.lognormvariate(0, 0.3), 3, 1500),
        (_queue, 3, 250),
    ],
    ids=["normal, 3 runs", "normal, 6 runs", "skewed, 3 runs", "P95 of a queue, 3 runs"],
)
def test_equal_set_ups_are_rarely_called_different(draw: Draw, runs: int, trials: int) -> None:
    """At a level of 5 in 100, equal set-ups are called different in at most about that share."""
    assert _wrong(draw, runs, trials) < 0.065


def test_resampled_percentiles_would_be_wrong_too_often() -> None:
    """Why runs are not drawn with replacement: with three a side that is wrong three times too often."""
    chance = random.Random(1)
    wrong = 0
    for _ in range(200):
        before, after = ([chance.gauss(10, 1) for _ in range(3)] for _ in range(2))
        drawn = sorted(
            statistics.fmean(chance.choices(after, k=3)) - statistics.fmean(chance.choices(before, k=3))
            for _ in range(400)
        )
        wrong += drawn[9] > 0 or drawn[389] < 0
    assert wrong / 200 > 0.12
