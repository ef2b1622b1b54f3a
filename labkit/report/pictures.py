"""The pictures of a report, each an SVG to stand within the page. The only module that knows matplotlib."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.analysis.statistics import percentile
from labkit.control.marks import Mark
from labkit.report.markup import Html
from labkit.report.series import (
    LATENCY,
    Clock,
    Points,
    bin_width,
    ecdf,
    level,
    moments,
    rate,
    sampled,
    service_of,
    summed,
    thinned,
)
from labkit.runs.read import RunFiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, GRID = "#1d2733", "#66717f", "#e3e8ee"
BLUE, GREEN, RED, ORANGE, PINK, SKY = "#0072b2", "#009e73", "#d55e00", "#e69f00", "#cc79a7", "#56b4e9"
"""Colours that the colour-blind can tell apart. Source: Okabe and Ito, "Color Universal Design", 2008."""
STAGE_COLOURS = {
    "accept": FAINT,
    "queue wait": ORANGE,
    "fetch": SKY,
    "process": BLUE,
    "store": GREEN,
    "notify": PINK,
}
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, RED, "#8a6d3b", FAINT)

WIDTH_IN = 10.4
MOST_LABELS = 24
LABEL_PT = 26
"""How far above the first panel the numbers of marks stand: over its title."""
CUT = 4
"""A burst is cut off when it is sent so many times faster than it is completed."""
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
}
_HEAD = re.compile(r"^.*?(?=<svg)|<metadata>.*?</metadata>", re.DOTALL)
_FONT = re.compile(r"(font: [^;\"]*?px) [^;\"]*")


def timeline(run: RunFiles, clock: Clock) -> Html:
    """Return rates, backlog, consumers, latency and CPU over time, with a line at each mark."""
    panels: list[tuple[float, Callable[[Axes], None]]] = [
        (1.5, lambda axes: _rates(axes, run, clock)),
        (1.5, lambda axes: _backlog(axes, run, clock)),
        (1.0, lambda axes: _consumers(axes, run, clock)),
        (1.5, lambda axes: _latencies(axes, run, clock)),
    ]
    cpu = summed(
        found := sampled(run, "instance", "cpu_percent", clock), {name: service_of(name) for name in found}
    )
    if cpu:
        panels.append((1.2, lambda axes: _cpu(axes, cpu)))
    return _over_time(run, clock, panels, "timeline")


def outline(run: RunFiles, clock: Clock) -> Html:
    """Return throughput and backlog over time, with a line at each mark: the small picture of a run."""
    panels: list[tuple[float, Callable[[Axes], None]]] = [
        (1.4, lambda axes: _rates(axes, run, clock)),
        (1.4, lambda axes: _backlog(axes, run, clock)),
    ]
    return _over_time(run, clock, panels, run.directory)


def _over_time(
    run: RunFiles, clock: Clock, panels: Sequence[tuple[float, Callable[[Axes], None]]], salt: str
) -> Html:
    def draw(figure: Figure) -> None:
        heights = [height for height, _ in panels]
        grid = figure.subplots(len(panels), 1, sharex=True, height_ratios=heights, squeeze=False)
        for number, (axes, (_, paint)) in enumerate(zip(grid[:, 0], panels, strict=True)):
            paint(axes)
            _mark(axes, run.marks, clock, labels=number == 0)
            axes.set_ylim(bottom=0)
        bottom = grid[-1, 0]
        bottom.set_xlim(min(0.0, -0.01 * clock.end_s), clock.end_s * 1.01)
        bottom.set_xlabel("seconds since the first job was due")

    return _svg(draw, 1.55 * sum(height for height, _ in panels), "The run over time", salt)


def distribution(found: Mapping[str, Sequence[float]]) -> Html:
    """Return a histogram of the latency, and the distribution functions of all stages."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
        _histogram(left, found[LATENCY])
        _ecdf(right, found)

    return _svg(draw, 4.0, "How latency is distributed", "latency")


def _rates(axes: Axes, run: RunFiles, clock: Clock) -> None:
    width = bin_width(clock.end_s)
    done = [row for row in run.jobs if row["outcome"] == "completed"]
    failed = [row for row in run.jobs if row["outcome"] == "failed"]
    axes.set_title("Throughput: jobs sent and jobs ended")
    axes.set_ylabel("jobs/s")
    sent, completed = (rate(found, clock) for found in (moments(run.jobs, "sent"), moments(done, "ended")))
    _steps(axes, sent, width, FAINT, "sent")
    _steps(axes, completed, width, BLUE, "completed", fill=True)
    if failed:
        _steps(axes, rate(moments(failed, "ended"), clock), width, RED, "failed")
    _cut(axes, sent, completed, width)
    _legend(axes)


def _backlog(axes: Axes, run: RunFiles, clock: Clock) -> None:
    axes.set_title("Backlog: jobs that wait, and all jobs under way")
    axes.set_ylabel("jobs")
    accepted = [row for row in run.jobs if row["status_code"] in (201, 202)]
    under_way = level(accepted, "sent", "ended", clock)
    if under_way:
        seconds, jobs = zip(*thinned(under_way), strict=True)
        axes.plot(seconds, jobs, color=FAINT, drawstyle="steps-post", label="sent, not ended yet")
    waiting = sampled(run, "queue", "ready", clock)
    for (name, points), colour in zip(waiting.items(), _colours(), strict=False):
        seconds, jobs = zip(*points, strict=True)
        axes.plot(seconds, jobs, color=colour, label=f"ready in {name}")
        axes.fill_between(seconds, jobs, color=colour, alpha=0.12, linewidth=0)
    _legend(axes)


def _consumers(axes: Axes, run: RunFiles, clock: Clock) -> None:
    axes.set_title("Consumers: who takes jobs from the queue")
    axes.set_ylabel("consumers")
    used = {row["queue"] for row in run.jobs if row["queue"]}
    found = sampled(run, "queue", "consumers", clock)
    shown = {name: points for name, points in found.items() if name in used} or found
    for (name, points), colour in zip(shown.items(), _colours(), strict=False):
        seconds, count = zip(*points, strict=True)
        axes.plot(seconds, count, color=colour, drawstyle="steps-post", label=name)
    if not shown:
        _empty(axes, "no samples were taken")
    _whole_numbers(axes)
    _legend(axes)
    axes.margins(y=0.15)


def _latencies(axes: Axes, run: RunFiles, clock: Clock) -> None:
    axes.set_title("Latency of each job, when it ended")
    axes.set_ylabel("seconds")
    for outcome, colour, marker in (("completed", BLUE, "o"), ("failed", RED, "x")):
        rows = [row for row in run.jobs if row["outcome"] == outcome and row["ended"] and row["intended"]]
        points = thinned([(clock.at(row["ended"]), row["ended"] - row["intended"]) for row in rows])
        if points:
            seconds, latency = zip(*points, strict=True)
            axes.plot(
                seconds,
                latency,
                marker,
                color=colour,
                markersize=3.2,
                alpha=0.65,
                linestyle="",
                label=outcome,
            )
    if not axes.lines:
        _empty(axes, "no job ended")
    elif len(axes.lines) > 1:
        _legend(axes)


def _cpu(axes: Axes, cpu: Mapping[str, Points]) -> None:
    axes.set_title("CPU by service, 100% is one core")
    axes.set_ylabel("%")
    busiest = sorted(cpu, key=lambda name: -max(value for _, value in cpu[name]))[: len(CYCLE)]
    for name, colour in zip(busiest, _colours(), strict=False):
        seconds, percent = zip(*cpu[name], strict=True)
        axes.plot(seconds, percent, color=colour, label=name, linewidth=1.5)
    _legend(axes)


def _histogram(axes: Axes, values: Sequence[float]) -> None:
    axes.set_title("Latency of completed jobs")
    scale, unit = (1000, "milliseconds") if max(values) < 1 else (1, "seconds")
    scaled = [scale * value for value in values]
    axes.hist(scaled, bins=min(40, max(5, round(len(values) ** 0.5) * 2)), color=BLUE, alpha=0.85)
    for q, name in ((0.5, "P50"), (0.95, "P95")):
        place = scale * percentile(values, q)
        axes.axvline(place, color=INK, linewidth=1.2, linestyle=":")
        axes.annotate(
            name, (place, 1), xycoords=("data", "axes fraction"), xytext=(3, -11), textcoords="offset points"
        )
    axes.set_xlim(left=0)
    axes.margins(y=0.15)
    axes.set_xlabel(unit)
    axes.set_ylabel("jobs")
    _whole_numbers(axes)


def _ecdf(axes: Axes, found: Mapping[str, Sequence[float]]) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter  # noqa: PLC0415 - slow

    axes.set_title("Share of jobs that took no longer, by stage")
    for name, values in found.items():
        colour = STAGE_COLOURS.get(name, INK)
        # Below a tenth of a millisecond clocks say nothing.
        places = [(max(value, 1e-4), share) for value, share in ecdf(values)]
        seconds, shares = zip(*places, strict=True)
        width = 2.6 if name == LATENCY else 1.6
        axes.plot(seconds, shares, color=colour, label=name, drawstyle="steps-post", linewidth=width)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _time(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
    axes.set_ylim(0, 1.02)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _cut(axes: Axes, sent: Points, completed: Points, width: float) -> None:
    """Leave out the top of a burst that would press everything else to the ground, and say so."""
    highest = max(value for _, value in completed)
    place, burst = max(sent, key=lambda point: point[1])
    if highest and burst > CUT * highest:
        axes.set_ylim(top=CUT / 2 * highest)
        axes.annotate(
            f"up to {burst:.0f} jobs/s sent",
            (place + width, 1),
            xycoords=("data", "axes fraction"),
            xytext=(6, -12),
            textcoords="offset points",
            color=FAINT,
            fontsize=9.5,
        )


def _steps(axes: Axes, points: Points, width: float, colour: str, label: str, *, fill: bool = False) -> None:
    edges = [*(second for second, _ in points), points[-1][0] + width]
    values = [value for _, value in points]
    if fill:
        axes.stairs(values, edges, color=colour, fill=True, alpha=0.18, linewidth=0)
    axes.stairs(values, edges, color=colour, label=label, linewidth=1.8)


def _mark(axes: Axes, marks: Sequence[Mark], clock: Clock, *, labels: bool) -> None:
    for number, mark in enumerate(marks, 1):
        place = clock.at(mark.at)
        if not 0 <= place <= clock.end_s * 1.01:
            continue
        colour = RED if mark.kind == "kill" else INK
        axes.axvline(place, color=colour, linewidth=1.0, linestyle=(0, (3, 2)), alpha=0.8)
        if labels and len(marks) <= MOST_LABELS:
            axes.annotate(
                str(number),
                (place, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, LABEL_PT + 13 * _crowd(marks, number - 1, clock)),
                textcoords="offset points",
                ha="center",
                color="white",
                fontsize=8,
                fontweight="bold",
                bbox={"boxstyle": "circle,pad=0.25", "facecolor": colour, "edgecolor": "none"},
                annotation_clip=False,
            )


def _crowd(marks: Sequence[Mark], index: int, clock: Clock) -> int:
    """Return how high a label must stand, in rows, not to cover those just before it."""
    near = 0.022 * clock.end_s
    row = 0
    while index and marks[index].at - marks[index - 1].at < near:
        row, index = row + 1, index - 1
    return row % 3


def _legend(axes: Axes) -> None:
    """Put the legend beside the title, where it covers nothing."""
    entries = len(axes.get_legend_handles_labels()[1])
    if entries:
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 0.98),
            borderaxespad=0,
            ncols=min(6, entries),
            columnspacing=1.2,
            handlelength=1.4,
        )


def _empty(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color=FAINT)


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - slow

    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))


def _time(seconds: float) -> str:
    return f"{1000 * seconds:g} ms" if seconds < 1 else f"{seconds:g} s"


def _colours() -> Iterable[str]:
    return CYCLE


def _svg(draw: Callable[[Figure], None], height_in: float, label: str, salt: str) -> Html:
    """Return what `draw` paints, as an SVG that takes the page's font and the width it is given."""
    from matplotlib import rc_context  # noqa: PLC0415 - slow
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    file = io.StringIO()
    # Identifiers of two pictures within one page must differ.
    with rc_context({**_STYLE, "svg.hashsalt": salt}), warnings.catch_warnings():
        # The page's font draws the signs that the measuring font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        layout = ConstrainedLayoutEngine(h_pad=0.09, hspace=0.03)
        figure = Figure(figsize=(WIDTH_IN, height_in), layout=layout)
        draw(figure)
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = _FONT.sub(r"\1 var(--font)", _HEAD.sub("", file.getvalue()))
    return Html(re.sub(r"<svg ", f'<svg role="img" aria-label="{label}" ', text, count=1))
