"""Limits that a run must keep."""

from __future__ import annotations

import pytest

from labkit.analysis.ledger import balance
from labkit.analysis.summary import summarize
from labkit.analysis.thresholds import METRICS, Judged, Threshold, judge, parse, verdict
from labkit.errors import BadValue
from tests.support.records import completed, record


def _judged(text: str, jobs: int = 200) -> Judged:
    records = [completed(number) for number in range(jobs)]
    return judge(parse(text), balance(records), summarize(records))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("p95<1500", Threshold("p95", "<", 1500)),
        (" lost == 0 ", Threshold("lost", "==", 0)),
        ("accept_p50<=250ms", Threshold("accept_p50", "<=", 250)),
        ("error_rate<0.5%", Threshold("error_rate", "<", 0.5)),
    ],
)
def test_a_threshold_is_a_metric_a_sign_and_a_number(text: str, meant: Threshold) -> None:
    """Spaces and the unit may be there."""
    assert parse(text) == meant
    assert parse(str(meant)) == meant


@pytest.mark.parametrize(
    "text",
    ["", "p95", "p95<", "p95<x", "p95=1", "p95<1500<2000", "__import__('os')<1", "p95<1500 or 1", "P95<1"],
)
def test_anything_else_is_refused(text: str) -> None:
    """A threshold is read, never run."""
    with pytest.raises(BadValue):
        parse(text)


def test_an_unknown_metric_comes_with_the_known_ones() -> None:
    """Nobody has to guess names."""
    with pytest.raises(BadValue, match="p42") as caught:
        parse("p42<1")
    assert all(name in caught.value.next_step for name in METRICS)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("p95<2001", True),
        ("p95<2000", False),
        ("p99<99999", None),
        ("accept_p95<500", True),
        ("lost==0", True),
        ("completed>=201", False),
        ("good_per_s>50", True),
        ("error_rate==0", True),
        ("late==200", True),
    ],
)
def test_a_run_keeps_breaks_or_leaves_open(text: str, kept: bool | None) -> None:  # noqa: FBT001  (a table of cases)
    """Two hundred jobs of two seconds: enough for P95, too few for P99."""
    assert _judged(text).kept is kept


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_be_measured(metric: str) -> None:
    """Each name in the list has a number."""
    assert _judged(f"{metric}>=0", 1000).value is not None
    assert judge(parse(f"{metric}>=0"), balance([]), summarize([])).kept in (None, True)


def test_the_worst_verdict_counts() -> None:
    """Broken beats unknown beats kept; the ledger has its say too."""
    good = balance([completed(0)])
    lost = balance([record(sequence=0)])
    kept, broken, unknown = (Judged(parse("lost==0"), 0, word) for word in (True, False, None))
    assert verdict(good, []) is True
    assert verdict(good, [kept, unknown]) is None
    assert verdict(good, [unknown, broken]) is False
    assert verdict(lost, [kept]) is False
