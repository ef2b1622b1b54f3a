"""Values with their units."""

from __future__ import annotations

import pytest

from labkit.labs.amounts import amount


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (1, "pictures", "1 picture"),
        (49.0, "pictures", "49 pictures"),
        (1.0, "s", "1 s"),
        (0.5, "", "0.5"),
        (0, "jobs", "0 jobs"),
        (12345.6, "jobs", "12346 jobs"),
        ("a worker", "", "a worker"),
        (None, "s", "-"),
    ],
)
def test_an_amount(value: float | str | None, unit: str, written: str) -> None:
    """One is singular, and large numbers have no exponent."""
    assert amount(value, unit) == written
