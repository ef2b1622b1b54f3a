"""One style for all pictures: readable on a projector, colour-blind safe, names beside the lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

# Okabe, Ito, "Color universal design", 2008: told apart with every kind of colour blindness.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY, INK = "#CC79A7", "#56B4E9", "#9A9A9A", "#222222"
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, INK)

STYLE = {
    "figure.figsize": (9.6, 4.2),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "font.size": 12,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 13,
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "lines.linewidth": 2.2,
    "legend.frameon": False,
    "legend.labelcolor": "linecolor",
    "legend.handlelength": 1.0,
    "axes.prop_cycle": cycler(color=COLOURS),
}

_ROW = 14
"""Height of a row of labels above the axes, in points."""
_LETTER = 0.0115
"""Width of a letter, as a share of the width of the axes."""


def use_style() -> None:
    """Let all pictures from now on look alike."""
    plt.style.use(STYLE)


def name_lines(ax: Axes, names: Mapping[str, tuple[float, str]], gap: float = 0.07) -> None:
    """Write names at the right edge of the axes, each beside the end of its line: name → (y, colour).

    Names that would touch are moved apart: `gap` is the least distance, as a share of the height of the axes.
    Call it when the axes have their limits.
    """
    to_share = ax.transData + ax.transAxes.inverted()
    heights = {name: float(to_share.transform((0, y))[1]) for name, (y, _) in names.items()}
    order = sorted(names, key=heights.__getitem__)
    for name, place in zip(order, spaced([heights[name] for name in order], gap), strict=True):
        ax.annotate(
            name,
            (1, place),
            xycoords="axes fraction",
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=names[name][1],
            fontweight="bold",
            annotation_clip=False,
        )


def say(
    ax: Axes, point: tuple[float, float], text: str, colour: str, shift: tuple[int, int] = (8, 3)
) -> None:
    """Write a text beside a point; `shift` in points: to the left of it when the first is negative."""
    ax.annotate(
        text,
        point,
        xytext=shift,
        textcoords="offset points",
        color=colour,
        fontweight="bold",
        ha="left" if shift[0] >= 0 else "right",
    )


def spaced(places: Sequence[float], gap: float) -> list[float]:
    """Return rising places, moved as little as need be so that neighbours are `gap` apart.

    Groups that touch are spread around their middle.
    """
    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while len(groups) > 1 and _bottom(groups[-1], gap) - _top(groups[-2], gap) < gap:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_bottom(group, gap) + number * gap for group in groups for number in range(len(group))]


def show_marks(ax: Axes, marks: pd.DataFrame, *, names: bool = True) -> None:
    """Draw what was done meanwhile as vertical lines, with its name above the axes if wanted.

    Call it last, when the axes have their limits.
    """
    left, right = ax.get_xlim()
    ends: list[float] = []
    for mark in marks.sort_values("at").itertuples():
        if not left <= mark.at <= right:
            continue
        ax.axvline(mark.at, color=INK, linestyle=(0, (2, 2)), linewidth=1.2)
        if names:
            place = (mark.at - left) / (right - left)
            width = _LETTER * len(mark.text)
            begin = min(place, 1 - width)
            row = next((row for row, end in enumerate(ends) if end <= begin), len(ends))
            ends[row : row + 1] = [begin + width + _LETTER]
            ax.annotate(
                mark.text,
                (begin, 1),
                xycoords="axes fraction",
                xytext=(0, 3 + _ROW * row),
                textcoords="offset points",
                fontsize=10,
            )
    if names and ends:
        ax.set_title(ax.get_title(loc="left"), loc="left", pad=8 + _ROW * len(ends))


def duration_axis(ax: Axes) -> None:
    """Make the x axis logarithmic, with ticks that people read: 1 ms, 10 ms, 1 s."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(numticks=12))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: spoken_duration(seconds)))
    ax.xaxis.set_minor_formatter(NullFormatter())


def spoken_duration(seconds: float) -> str:
    """Write a duration with a unit that fits: 0.5 ms, 10 ms, 1.5 s."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _bottom(group: Sequence[float], gap: float) -> float:
    return math.fsum(group) / len(group) - gap * (len(group) - 1) / 2


def _top(group: Sequence[float], gap: float) -> float:
    return _bottom(group, gap) + gap * (len(group) - 1)
