"""Expected beside measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labkit.experiments.declaration import Expect
from labkit.experiments.expectation import Line, Range, Value, Verdict, expected, judge, overall

NAMES = {"jobs": 40.0}
LINE = Line("", "", None, "lost", "jobs", Range(0, 0, 0), 0, (0,), "ok")


@pytest.mark.parametrize(
    ("line", "low", "high", "target"),
    [
        ({"equals": "jobs"}, 40, 40, 40),
        ({"equals": "jobs", "tolerance": "10%"}, 36, 44, 40),
        ({"equals": "jobs", "tolerance": 1}, 39, 41, 40),
        ({"between": [20, "jobs"], "tolerance": "5%"}, 19, 42, None),
        ({"at_least": "jobs"}, 40, None, None),
        ({"at_most": 0.5, "tolerance": 0.1}, None, 0.6, None),
    ],
)
def test_a_line_is_a_range(
    line: dict[str, object], low: float | None, high: float | None, target: float | None
) -> None:
    """A formula with its tolerance, two formulas, or a bound on one side."""
    assert expected(Expect.model_validate({"measure": "lost", **line}), NAMES) == Range(low, high, target)


@pytest.mark.parametrize(
    ("numbers", "verdict"), [([39.0], "ok"), ([36.0], "ok"), ([44.1], "off"), ([10.0, 40.0, 41.0], "ok")]
)
def test_a_number_is_ok_or_off(numbers: list[float], verdict: Verdict) -> None:
    """Bounds belong to the range; of several repeats the median counts."""
    assert judge(Range(36, 44), [Value(number) for number in numbers], compared=False) == (verdict, "")


def test_too_little_is_unknown() -> None:
    """No number, or fewer repeats than a comparison needs, is never a pass, and the reason is told."""
    wanted = Range(0, 10)
    assert judge(wanted, [Value(None, "few samples")], compared=False) == ("unknown", "few samples")
    assert judge(wanted, [], compared=False) == ("unknown", "it was not measured")
    assert judge(wanted, [Value(1)] * 2, compared=True)[0] == "unknown"
    assert judge(wanted, [Value(1)] * 3, compared=True)[0] == "ok"


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        ([1, 2, 3], "ok"),
        ([11, 12, 13], "off"),
        ([-3, -2, -1], "off"),
        ([1, 2, 30], "unknown"),
        ([-1, 5, 11], "unknown"),
    ],
)
def test_repeats_of_a_comparison_must_agree(numbers: list[float], verdict: Verdict) -> None:
    """When some are as expected and others are not, the machine was not steady enough to tell."""
    assert judge(Range(0, 10), [Value(number) for number in numbers], compared=True)[0] == verdict


def test_the_verdict_over_all_lines() -> None:
    """One that is off decides; else one that is unknown does; observations do not count."""
    ok, off, unknown = (replace(LINE, verdict=verdict) for verdict in ("ok", "off", "unknown"))
    seen = replace(LINE, verdict=None)
    assert overall([ok, seen]) is True
    assert overall([ok, unknown]) is None
    assert overall([unknown, off, ok]) is False
    assert overall([seen]) is None
