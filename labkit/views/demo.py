"""The demo's progress, and the page at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from labkit.analysis.statistics import Spread
from labkit.demo import Demo
from labkit.load.session import Progress
from labkit.views.load import sending_warning
from labkit.views.style import COMMAND, FAINT, duration, house_table
from services.common.topology import Layout

BAR_WIDTH = 34

_ALWAYS_NEXT = (
    ("kill --random", "shoot a worker while a demo runs: nothing is lost"),
    ("jobs", "the last jobs, and where each one spent its time: job ID"),
    ("down", "stop everything; data stays"),
)
NEXT: Mapping[Layout, Sequence[tuple[str, str]]] = {
    "single": (
        ("scale 4", "four workers: which part of the latency shrinks? run the demo again"),
        *_ALWAYS_NEXT,
    ),
    "per-operation": (
        ("scale convert=3", "three workers for convert: what is the bottleneck now? run the demo again"),
        *_ALWAYS_NEXT,
    ),
}


def demo_progress(progress: Progress) -> RenderableType:
    """Return three bars: answered, accepted, ended."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, count in (("answered", progress.answered), ("finished", progress.ended)):
        bar = ProgressBar(total=max(1, progress.jobs), completed=count, width=BAR_WIDTH)
        table.add_row(name, bar, f"{count}/{progress.jobs}")
    return table


def demo_page(
    demo: Demo, run: Path, steps: Sequence[tuple[str, str]], *, hide_throughput: bool = False
) -> RenderableType:
    """Return the ledger, the latency by stage, and commands to try next, with what they do."""
    few = Text("* P95 of fewer than 200 jobs: few samples, take it as a hint", style=FAINT)
    parts: list[RenderableType] = [_headline(demo), _ledger(demo, hide_throughput), _latency(demo)]
    if "p95" in demo.summary.latency.few:
        parts.append(few)
    if not demo.summary.sending.kept_up:
        parts.extend(sending_warning(demo.summary.sending))
    parts.extend([Text(""), _line("Written to", str(run)), Text("What next", style="bold"), _next(steps)])
    return Group(*parts)


def _headline(demo: Demo) -> Text:
    if demo.ledger.verdict:
        return Text("Every job is accounted for.", style="bold green")
    if demo.ledger.verdict is None:
        return Text("Too little is known to judge: some uploads got no clear answer.", style="bold yellow")
    return Text("Some jobs are missing or wrong.", style="bold red")


def _ledger(demo: Demo, hidden: bool) -> Table:  # noqa: FBT001  (passed on)
    ledger = demo.ledger
    columns = ("jobs", "succeeded", "failed", "lost", "duplicated", "verified", "jobs/s")
    table = house_table(*columns, right=columns)
    numbers = (ledger.attempted, ledger.completed, ledger.failed, ledger.lost, ledger.duplicated)
    verified = f"{ledger.verified}/{ledger.completed}"
    throughput = "lab 02 asks" if hidden else f"{demo.summary.throughput_per_s:.1f}"
    table.add_row(*(str(number) for number in numbers), verified, throughput)
    return table


def _latency(demo: Demo) -> Table:
    table = house_table("", "P50", "P95", "what it is", right=("P50", "P95"))
    summary = demo.summary
    rows = (
        ("latency", summary.latency, "from sending the image to the news of its end"),
        ("accept", summary.accept, "until the API answered"),
        ("queue wait", summary.queue_wait, "in the queue, until a worker took it"),
        ("service", summary.service, "fetched, processed, stored"),
    )
    for name, spread, meaning in rows:
        table.add_row(name, _figure(spread.p50_ms), _p95(spread), Text(meaning, style=FAINT))
    return table


def _p95(spread: Spread) -> str:
    return _figure(spread.p95_ms) + ("*" if "p95" in spread.few and spread.samples else "")


def _figure(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else duration(milliseconds / 1000)


def _next(steps: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for command, why in steps:
        table.add_row(Text(command, style=COMMAND), Text(why, style=FAINT))
    return table


def _line(label: str, value: str) -> Text:
    return Text.assemble(label, " ", (value, COMMAND))
