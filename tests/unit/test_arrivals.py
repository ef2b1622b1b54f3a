"""When jobs are due."""

from __future__ import annotations

from itertools import pairwise

import pytest

from labkit.load.arrivals import (
    LATE_S,
    ClosedLoop,
    OpenLoop,
    at_once,
    bursts,
    constant,
    described,
    poisson,
    ramp,
)


def test_a_burst_is_due_in_one_instant() -> None:
    """All jobs of a burst have its time, and each gives it two milliseconds more to leave."""
    assert at_once(3).offsets_s == (0.0, 0.0, 0.0)
    found = bursts(60, 3, 5.0)
    assert found.offsets_s == (0.0,) * 60 + (5.0,) * 60 + (10.0,) * 60
    assert found.late_after_s == pytest.approx(0.12)
    assert at_once(3).late_after_s == LATE_S


def test_a_constant_rate_has_even_gaps() -> None:
    """Job k of a rate r is due after k/r seconds."""
    assert constant(4, 5).offsets_s == (0.0, 0.25, 0.5, 0.75, 1.0)


def test_poisson_arrivals_have_the_rate_on_average() -> None:
    """Gaps are exponential: their mean is 1/rate, and so is their standard deviation."""
    offsets = poisson(50, 400, seed=3).offsets_s
    gaps = [after - before for before, after in pairwise(offsets)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(1 / 50, rel=0.03)
    assert deviation == pytest.approx(mean, rel=0.05)
    assert offsets == poisson(50, 400, seed=3).offsets_s != poisson(50, 400, seed=4).offsets_s


@pytest.mark.parametrize(("begin", "end"), [(1, 20), (20, 1), (5, 5), (0, 10), (10, 0)])
def test_a_ramp_moves_evenly(begin: float, end: float) -> None:
    """The jobs due until t are a*t + (b-a)*t^2/2T, all in order and within the time."""
    offsets = ramp(begin, end, 60).offsets_s
    assert len(offsets) == int((begin + end) / 2 * 60)
    assert list(offsets) == sorted(offsets)
    assert 0 <= offsets[0] <= offsets[-1] <= 60 + 1e-6
    due = [begin * at + (end - begin) * at * at / 120 for at in offsets]
    assert due == pytest.approx(range(len(offsets)), abs=1e-6)


@pytest.mark.parametrize(
    ("arrivals", "words"),
    [
        (ClosedLoop(10), "closed loop, 10 senders"),
        (at_once(5), "all at once"),
        (constant(2, 5), "open loop, 5 jobs in 2.0 s"),
        (OpenLoop(()), "open loop, no jobs"),
    ],
)
def test_arrivals_are_told_in_words(arrivals: OpenLoop | ClosedLoop, words: str) -> None:
    """run.json says how the jobs came."""
    assert described(arrivals) == words
