"""Benches: one line a turn while they run, a table at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from labkit.views.style import duration, house_table, size

LIMIT_PERCENT = 3.0

if TYPE_CHECKING:
    from labkit.bench.accept import Backlogged
    from labkit.bench.live import Listening
    from labkit.bench.load import LoadBench
    from labkit.bench.monitor import Cost
    from labkit.bench.pairs import Comparison, Pair
    from labkit.bench.pipeline import PipelineBench
    from labkit.bench.soak import Leg


def turn(out: Console, unit: str) -> Callable[[Pair], None]:
    """Return what prints a turn as soon as it is over."""
    return lambda pair: out.print(
        f"{pair.ours:8.1f} against {pair.reference:8.1f} {unit}: ratio {pair.ratio:.3f}"
    )


def leg(out: Console) -> Callable[[Leg], None]:
    """Return what prints a leg of the soak as soon as it is over."""
    return lambda found: out.print(f"{found.jobs:7d} jobs, lost {found.lost}")


def comparison(found: Comparison) -> RenderableType:
    """Return the median of the ratios."""
    ratios = ", ".join(f"{pair.ratio:.3f}" for pair in found.pairs)
    return Group(
        Text(f"{found.name}: {found.ours} / {found.reference}", style="bold"),
        Text(f"ratios {ratios}"),
        Text(f"median {found.median:.3f}", style="bold green"),
    )


def pipeline(found: PipelineBench) -> RenderableType:
    """Return the comparison, and where the CPU time goes."""
    table = house_table("service", "CPU ms a job", right=("CPU ms a job",))
    for service, seconds in found.cpu_s_per_job.items():
        table.add_row(service, f"{1000 * seconds:.1f}")
    table.add_row("bare Pillow", f"{1000 * found.bare_cpu_s_per_job:.1f}")
    return Group(comparison(found.comparison), table)


def accept(found: Comparison, queued: Sequence[Backlogged]) -> RenderableType:
    """Return the comparison, and the answer's P95 with an empty and with a long queue."""
    table = house_table("P95, 0 queued", "P95, 500 queued", "ratio", right=("ratio",))
    for one in queued:
        table.add_row(f"{one.empty_ms:.0f} ms", f"{one.full_ms:.0f} ms", f"{one.ratio:.2f}")
    return Group(comparison(found), table)


def monitor(cost: Cost) -> Text:
    """Return what the monitor took, and what it may take."""
    within = cost.cpu_percent <= LIMIT_PERCENT
    said = f"{cost.arm}: {cost.cpu_percent:.2f}% of a core over {cost.seconds:g} s, {size(cost.memory_bytes)}"
    verdict = "within" if within else "above"
    return Text(f"{said}; {verdict} {LIMIT_PERCENT:g}%", style="green" if within else "red")


def sending(out: Console) -> Callable[[LoadBench], None]:
    """Return what prints a load as soon as it is over."""
    return lambda found: out.print(f"{found.load}, {found.target}: {found.answered}/{found.jobs} answered")


def load(found: Sequence[LoadBench]) -> RenderableType:
    """Return lateness and CPU of each load and target."""
    numbers = ("late P50", "P99", "worst", "CPU", "a job", "collect")
    table = house_table("load", "target", *numbers, right=numbers)
    for one in found:
        late = (one.lateness.p50_ms, one.lateness.p99_ms, one.lateness.max_ms)
        collect = "-" if one.measuring_cpu_ms is None else f"{one.measuring_cpu_ms:.2f} ms"
        table.add_row(
            one.load,
            one.target,
            *("-" if value is None else duration(value / 1000) for value in late),
            f"{one.cpu_percent:.0f}%",
            f"{one.cpu_ms:.2f} ms",
            collect,
        )
    return table


def listening(out: Console) -> Callable[[Listening], None]:
    """Return what prints an arm as soon as it is over."""
    return lambda found: out.print(
        f"{found.listeners} by {found.way}: {found.whole} told of all {found.changes} changes"
    )


def live(found: Sequence[Listening]) -> RenderableType:
    """Return delay, memory and CPU of each kind of listener."""
    numbers = ("told all", "P50", "P99", "worst", "memory", "for each", "API CPU")
    table = house_table("listeners", *numbers, right=numbers)
    for column in table.columns:
        column.no_wrap = True
    for arm in found:
        late = (arm.delay.p50_ms, arm.delay.p99_ms, arm.delay.max_ms)
        table.add_row(
            f"{arm.listeners} {arm.way}" if arm.listeners else "none",
            f"{arm.whole}/{arm.listeners}" if arm.listeners else "-",
            *("-" if value is None else duration(value / 1000) for value in late),
            size(arm.memory_bytes[2]),
            size(arm.bytes_each) if arm.listeners else "-",
            f"{arm.api_cpu_percent:.0f}%",
        )
    return table


def soak(legs: Sequence[Leg]) -> RenderableType:
    """Return memory at start, middle and end, and the cost of a job in the first and last thousand."""
    return Group(_memory(legs), Text(""), _cost(legs[1], legs[-1]))


def _memory(legs: Sequence[Leg]) -> Table:
    chosen = (legs[0], legs[len(legs) // 2], legs[-1])
    columns = tuple(f"{one.jobs} jobs" for one in chosen)
    table = house_table("memory", *columns, right=columns)
    for instance in legs[0].memory_bytes:
        table.add_row(instance, *(size(one.memory_bytes.get(instance, 0)) for one in chosen))
    return table


def _cost(first: Leg, last: Leg) -> Table:
    columns = ("first 1000", "last 1000", "ratio")
    table = house_table("CPU ms a job", *columns, right=columns)
    for service, seconds in first.cpu_s_per_job.items():
        later = last.cpu_s_per_job.get(service, 0.0)
        ratio = f"{later / seconds:.2f}" if seconds else "-"
        table.add_row(service, f"{1000 * seconds:.1f}", f"{1000 * later:.1f}", ratio)
    return table
