"""Limits that a run must keep: `p95<1500`, `lost==0`, `good_per_s>=4`; each is kept, broken or unknown."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labkit.analysis.ledger import Ledger
from labkit.analysis.statistics import PERCENTILES
from labkit.analysis.summary import Summary
from labkit.errors import BadValue

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(r"\s*([a-z_0-9]+)\s*(<=|>=|==|!=|<|>)\s*(\d+(?:\.\d+)?)\s*(ms|%)?\s*")

LATENCIES = ("mean", "min", "max", "stdev", *PERCENTILES)
RATES = ("submitted_per_s", "completed_per_s", "good_per_s")
OTHERS = ("duration_s", "peak_backlog", "late", "error_rate")
COUNTS = (
    *("attempted", "dropped", "accepted", "rejected", "unknown", "completed", "failed", "lost"),
    *("duplicated", "redelivered", "retried", "verified", "broken"),
)
METRICS = (*LATENCIES, *(f"accept_{name}" for name in LATENCIES), *RATES, *OTHERS, *COUNTS)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit. Latencies are milliseconds, `accept_…` those of the answer; error_rate is percent."""

    metric: str
    compare: str
    limit: float

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"{self.metric}{self.compare}{self.limit:g}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A threshold and what was measured; kept is None when that says too little, and why."""

    threshold: Threshold
    value: float | None
    kept: bool | None
    why: str = ""


def parse(text: str) -> Threshold:
    """Read a threshold. Raises BadValue that lists what is known."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise BadValue(
            f"{text!r} is no threshold.",
            "Write a metric, a sign and a number, such as 'p95<1500' or 'lost==0'.",
        )
    metric, compare, limit, _ = match.groups()
    if metric not in METRICS:
        raise BadValue(f"There is no metric {metric!r}.", f"Known are: {', '.join(METRICS)}.")
    return Threshold(metric, compare, float(limit))


def judge(threshold: Threshold, ledger: Ledger, summary: Summary) -> Judged:
    """Hold a run to a threshold; a percentile of few samples is neither kept nor broken."""
    value, why = _measured(threshold.metric, ledger, summary)
    if value is None or why:
        return Judged(threshold, value, None, why or "nothing was measured")
    return Judged(threshold, value, _COMPARE[threshold.compare](value, threshold.limit))


def _measured(metric: str, ledger: Ledger, summary: Summary) -> tuple[float | None, str]:
    name = metric.removeprefix("accept_")
    if name in LATENCIES:
        spread = summary.latency if name == metric else summary.accept
        why = f"few samples: {spread.samples}" if name in spread.few else ""
        return getattr(spread, f"{name}_ms"), why
    if metric == "late":
        return summary.sending.late, ""
    if metric == "error_rate":
        bad = ledger.rejected + ledger.unknown + ledger.failed + ledger.lost
        return (100 * bad / ledger.attempted, "") if ledger.attempted else (None, "")
    if metric in RATES or metric in OTHERS:
        return getattr(summary, metric), "" if summary.completed else "no job completed"
    return getattr(ledger, metric), ""


def verdict(ledger: Ledger, judged: list[Judged]) -> bool | None:
    """Return the worst of the ledger's verdict and all thresholds: broken, then unknown, then kept."""
    found = [ledger.verdict, *(one.kept for one in judged)]
    if False in found:
        return False
    return None if None in found else True
