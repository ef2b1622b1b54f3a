"""The two charts of the queues, as ECharts takes them. Pure functions of a board's points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.dashboard.board import KEPT_POINTS, POINT_S, Point

# The same colours as in web/look.css, on light and on dark.
BLUE, AMBER, VIOLET, GREEN, RED, GREY = "#3b82c4", "#c98a1b", "#9166cc", "#2f9e62", "#d2483f", "#8a929c"

DEPTHS = (("waiting", "waiting", AMBER), ("retrying", "retrying", VIOLET), ("dead", "dead", RED))
RATES = (("in", "accepted", BLUE), ("done", "completed", GREEN), ("failed", "failed", RED))

Options = dict[str, Any]

AGO = "value => value ? `${-value / 60} min` : 'now'"
LEAST = "value => Math.max(4, Math.ceil(value.max))"
"""An axis that says 0 to 4 while nothing happens: else the first job would fill it."""

LEGEND: Options = {
    "top": 0,
    "left": 0,
    "itemWidth": 12,
    "itemHeight": 2,
    "icon": "rect",
    "textStyle": {"color": GREY, "fontSize": 12},
    "selectedMode": False,
}
PAST: Options = {
    "type": "value",
    "min": -KEPT_POINTS * POINT_S,
    "max": 0,
    "interval": 60,
    "axisLabel": {"color": GREY, "fontSize": 11, ":formatter": AGO, "hideOverlap": True},
    "axisLine": {"onZero": False, "lineStyle": {"color": GREY, "opacity": 0.4}},
    "axisTick": {"show": False},
    "splitLine": {"show": False},
    "axisPointer": {"label": {"show": False}},
}
AMOUNT: Options = {
    "type": "value",
    "minInterval": 1,
    "min": 0,
    ":max": LEAST,
    "splitNumber": 3,
    "axisLine": {"show": False},
    "axisTick": {"show": False},
    "axisLabel": {"color": GREY, "fontSize": 11},
    "splitLine": {"lineStyle": {"color": GREY, "opacity": 0.18}},
}


def depths(points: Sequence[Point]) -> Options:
    """Return how many messages waited."""
    return _chart(points, DEPTHS)


def rates(points: Sequence[Point]) -> Options:
    """Return how many jobs a second came, were done, failed."""
    return _chart(points, RATES)


def _chart(points: Sequence[Point], lines: Sequence[tuple[str, str, str]]) -> Options:
    end = points[-1].at if points else 0.0
    return {
        "animation": False,
        "grid": {"left": 36, "right": 8, "top": 26, "bottom": 20},
        "legend": LEGEND,
        "tooltip": {"trigger": "axis", "confine": True, "axisPointer": {"type": "line"}},
        "xAxis": PAST,
        "yAxis": AMOUNT,
        "series": [
            {
                "name": name,
                "type": "line",
                "showSymbol": False,
                "lineStyle": {"width": 2, "color": colour},
                "itemStyle": {"color": colour},
                "areaStyle": {"color": colour, "opacity": 0.08},
                "data": [[round(point.at - end, 1), round(getattr(point, field), 2)] for point in points],
            }
            for name, field, colour in lines
        ],
    }
