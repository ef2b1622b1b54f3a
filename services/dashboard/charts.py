"""The two charts of the queues, as ECharts takes them. Pure functions of a board's points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.dashboard.board import KEPT_POINTS, POINT_S, Point

# The same colours as in web/look.css; on dark, web/queues.css makes all of them brighter.
BLUE, AMBER, VIOLET, GREEN, RED, GREY = "#3b82c4", "#c98a1b", "#9166cc", "#2f9e62", "#d2483f", "#66707b"

DEPTHS = (("waiting", "waiting", AMBER), ("retrying", "retrying", VIOLET), ("dead", "dead", RED))
RATES = (("in", "accepted", BLUE), ("done", "completed", GREEN), ("failed", "failed", RED))

Options = dict[str, Any]

AGO = "value => value ? `${-value / 60} min` : 'now'"
LEAST = "value => value.max > 4 ? null : 4"
"""An axis that says 0 to 4 while nothing happens: else the first job would fill it. More is rounded."""

SMALL: Options = {":fontSize": "0.75 * parseFloat(getComputedStyle(document.documentElement).fontSize)"}
"""Small letters as in the page, which are larger on a large screen; a canvas knows no rem."""

MOVING = ("series", "aria")
"""The options that change with the points."""

LEGEND: Options = {
    "top": 0,
    "left": 0,
    "itemWidth": 12,
    "itemHeight": 2,
    "icon": "rect",
    "textStyle": {"color": GREY, **SMALL},
    "selectedMode": False,
}
PAST: Options = {
    "type": "value",
    "min": -KEPT_POINTS * POINT_S,
    "max": 0,
    "interval": 60,
    "axisLabel": {
        "color": GREY,
        **SMALL,
        ":formatter": AGO,
        "hideOverlap": True,
        # In the middle below its end, it would touch the 0 of the other axis.
        "alignMinLabel": "left",
        "alignMaxLabel": "right",
    },
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
    "axisLabel": {"color": GREY, **SMALL},
    "splitLine": {"lineStyle": {"color": GREY, "opacity": 0.18}},
}


def depths(points: Sequence[Point]) -> Options:
    """Return how many messages waited."""
    return _chart("Messages", points, DEPTHS)


def rates(points: Sequence[Point]) -> Options:
    """Return how many jobs a second came, were done, failed."""
    return _chart("Jobs a second", points, RATES)


def _chart(title: str, points: Sequence[Point], lines: Sequence[tuple[str, str, str]]) -> Options:
    end = points[-1].at if points else 0.0
    return {
        # ECharts makes this the chart's role and label.
        "aria": {"enabled": True, "label": {"description": f"{title}: {_told(points, lines)}"}},
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


def _told(points: Sequence[Point], lines: Sequence[tuple[str, str, str]]) -> str:
    """Return the last point in words."""
    if not points:
        return "none yet"
    return ", ".join(f"{name} {round(getattr(points[-1], field), 1):,}" for name, field, _ in lines)
