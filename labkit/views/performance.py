"""The table of `monitor --performance`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from labkit.monitor.performance import Figure
from labkit.views.lines import Column, fit, heading, row
from labkit.views.style import FAINT

_NUMBERS = ("current", "mean", "median", "min", "max", "stdev")


def performance_page(figures: Sequence[Figure], window_s: float, width: int) -> Group:
    """Return a line a metric, and over how long the figures go."""
    each = max(8, min(12, (width - 28) // len(_NUMBERS) - 1))
    columns = (
        Column("metric", 13),
        Column("unit", 11),
        *(Column(name, each, "right") for name in _NUMBERS),
    )
    samples = max((figure.samples for figure in figures), default=0)
    said = f"over the last {window_s:g} s at most, {samples} samples so far; - is not known"
    lines = [heading(columns), *(row(columns, _cells(figure)) for figure in figures)]
    lines += [Text(), Text(fit(said, width), style=FAINT)]
    for line in lines:
        line.truncate(width)
        line.end = "\n"
    return Group(*lines)


def _cells(figure: Figure) -> list[str]:
    values = (figure.current, figure.mean, figure.median, figure.minimum, figure.maximum, figure.stdev)
    return [figure.metric, figure.unit, *map(_number, values)]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"  # noqa: PLR2004  (three digits are enough)
