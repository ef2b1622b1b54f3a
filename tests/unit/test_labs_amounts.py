"""Values with their units."""

from __future__ import annotations

import pytest

from labkit.errors import BadValue
from labkit.labs.amounts import amount, number, printable


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


@pytest.mark.parametrize("typed", ["1.5", "1,5", " 1.5 s", "1,5s"])
def test_a_number_as_people_type_it(typed: str) -> None:
    """A comma, and the unit behind the number, do no harm."""
    assert number(typed, "s") == 1.5


@pytest.mark.parametrize("typed", ["", "many", "-3", "nan", "inf", "1.5 m"])
def test_what_is_no_number(typed: str) -> None:
    """Words, negative numbers and those without an end are refused."""
    with pytest.raises(BadValue, match="is no number"):
        number(typed, "s")


def test_what_a_terminal_cannot_show() -> None:
    """Keys such as Ctrl-L leave nothing in a name."""
    assert printable(" Ada\x0c  L\n") == "Ada L"
