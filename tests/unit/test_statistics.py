"""Percentiles, and when they mean something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.analysis.statistics import percentile, samples_needed, spread

_VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200)


@pytest.mark.parametrize(
    ("q", "expected"), [(0, 1), (0.01, 1), (0.07, 7), (0.5, 50), (0.55, 55), (0.95, 95), (0.99, 99), (1, 100)]
)
def test_percentiles_of_the_first_hundred_numbers(q: float, expected: int) -> None:
    """By nearest rank, the q-th hundredth of 1 to 100 is q itself."""
    assert percentile(list(range(1, 101)), q) == expected


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [([3.0], 0.5, 3.0), ([2, 1], 0.5, 1), ([2, 1], 0.51, 2), ([1, 2, 3], 0.5, 2), ([5, 1, 4, 2, 3], 0.95, 5)],
)
def test_percentiles_of_few_values(values: list[float], q: float, expected: float) -> None:
    """A percentile is always one of the values, in whatever order they come."""
    assert percentile(values, q) == expected


@given(values=_VALUES, q=st.floats(0, 1))
def test_a_percentile_has_its_share_below(values: list[float], q: float) -> None:
    """At least q of all values do not exceed it, and it is the smallest such value."""
    found = percentile(values, q)
    assert found in values
    share = sum(value <= found for value in values) / len(values)
    assert share >= q - 1e-9
    smaller = [value for value in values if value < found]
    assert not smaller or len(smaller) / len(values) <= q + 1e-9


def test_no_values_have_no_percentile() -> None:
    """Nothing cannot be summed up."""
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 0.5)


@pytest.mark.parametrize(("q", "samples"), [(0.5, 20), (0.9, 100), (0.95, 200), (0.99, 1000)])
def test_samples_needed(q: float, samples: int) -> None:
    """Ten samples beyond the percentile are the least that it can rest on."""
    assert samples_needed(q) == samples


def test_a_spread_names_what_rests_on_few_samples() -> None:
    """A percentile q needs ten samples beyond it: 20, 40, 100, 200 and 1000."""
    assert spread([]).few == ("p50", "p75", "p90", "p95", "p99")
    for count, few in ((19, 5), (20, 4), (40, 3), (100, 2), (200, 1), (1000, 0)):
        assert len(spread([1.0] * count).few) == few


def test_a_spread_is_in_milliseconds() -> None:
    """One to a hundred seconds: nearest rank, and the deviation of a sample."""
    found = spread([float(second) for second in range(1, 101)])
    assert (found.min_ms, found.p50_ms, found.p75_ms, found.p99_ms, found.max_ms) == (
        1e3,
        5e4,
        7.5e4,
        9.9e4,
        1e5,
    )
    assert found.mean_ms == pytest.approx(50_500)
    assert found.stdev_ms == pytest.approx(29_011.49, abs=0.01)
    assert spread([1.0]).stdev_ms is None
