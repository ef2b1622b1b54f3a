"""A load run: its progress, and the page at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from labkit.analysis.ledger import Ledger
from labkit.analysis.statistics import PERCENTILES, Spread
from labkit.analysis.stretches import Burst
from labkit.analysis.summary import QueueFigures, Sending, Summary, WorkerFigures
from labkit.analysis.thresholds import Judged
from labkit.load.session import Progress
from labkit.views.style import COMMAND, FAINT, duration, house_table, plural

BAR_WIDTH = 34
SHARE_WIDTH = 24
_KEPT = {True: ("kept", "green"), False: ("broken", "bold red"), None: ("unknown", "yellow")}
_STAGE_NAMES = {"queue_wait": "queue wait"}


def load_progress(progress: Progress) -> RenderableType:
    """Return bars of what is answered and finished, and how late sends are."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, count in (("answered", progress.answered), ("finished", progress.ended)):
        bar = ProgressBar(total=max(1, progress.jobs), completed=count, width=BAR_WIDTH)
        table.add_row(name, bar, f"{count}/{progress.jobs}")
    return Group(table, _late(progress))


def progress_line(progress: Progress) -> str:
    """Return the progress as one plain line, for a log or a pipe."""
    counts = f"{progress.answered} answered, {progress.ended} finished of {progress.jobs}"
    return f"{progress.elapsed_s:6.1f} s  {counts}, {progress.late} sent late, {progress.dropped} dropped"


def load_page(
    ledger: Ledger, summary: Summary, judged: Sequence[Judged] = (), *, cut: bool = False
) -> RenderableType:
    """Return the page of a run: accounts, rates, latencies, where the time went, queues, workers, bursts."""
    parts: list[RenderableType] = [_headline(ledger, summary, cut=cut), _accounts(ledger), _rates(summary)]
    parts += [*sending_warning(summary.sending), Text("")]
    if summary.latency.samples:
        parts += [_latencies(summary), *_footnote(summary), Text(""), _stages(summary), Text("")]
    if summary.queues:
        parts += [_queues(summary.queues, summary.duration_s), Text("")]
    if summary.workers:
        parts += [_workers(summary.workers, summary.duration_s), Text("")]
    if summary.bursts:
        parts += [_bursts(summary.bursts), Text("")]
    if judged:
        parts += [_thresholds(judged), Text("")]
    return Group(*parts)


def _late(progress: Progress) -> Text:
    late = f"{progress.elapsed_s:.0f} s"
    if progress.late or progress.dropped:
        return Text(f"{late}  {progress.late} sent late, {progress.dropped} dropped", style="yellow")
    return Text(late, style=FAINT)


def _headline(ledger: Ledger, summary: Summary, *, cut: bool) -> Text:
    if cut:
        ends = f"{ledger.open} of them had no end yet" if ledger.open else "all of them had an end"
        sent = f"{ledger.attempted} of {plural(summary.jobs, 'job')}"
        return Text(f"Broken off after {sent}; {ends}.", style="bold yellow")
    if ledger.verdict:
        return Text("Every job is accounted for.", style="bold green")
    if ledger.verdict is None:
        return Text("Too little is known to judge: no clear answer for some jobs.", style="bold yellow")
    return Text("Some jobs are missing or wrong.", style="bold red")


def _accounts(ledger: Ledger) -> Table:
    columns = ("sent", "accepted", "completed", "failed", "lost", "duplicated", "redelivered", "verified")
    table = house_table(*columns, right=columns)
    numbers = (
        *(ledger.attempted, ledger.accepted, ledger.completed, ledger.failed, ledger.lost),
        *(ledger.duplicated, ledger.redelivered),
    )
    looked_at = ledger.verified + ledger.broken
    verified = f"{ledger.verified}/{looked_at}" if looked_at else "-"
    table.add_row(*map(str, numbers), verified)
    extra = {"rejected": ledger.rejected, "unknown": ledger.unknown, "retried": ledger.retried}
    found = [f"{count} {name}" for name, count in extra.items() if count]
    reasons = [f"{count} failed: {reason}" for reason, count in ledger.failed_by_reason.items()]
    if not (found or reasons):
        return table
    page = Table.grid()
    page.add_row(table)
    page.add_row(Text(", ".join([*found, *reasons]), style="yellow"))
    return page


def _rates(summary: Summary) -> Text:
    rates = (
        ("submitted", summary.submitted_per_s),
        ("completed", summary.completed_per_s),
        ("good", summary.good_per_s),
    )
    text = Text("jobs/s  ", style=FAINT)
    for name, rate in rates:
        text.append(f"{name} ", style=FAINT).append(f"{rate:.1f}   ", style="bold")
    text.append("\nfirst send to last end ", style=FAINT).append(duration(summary.duration_s))
    text.append("   peak backlog ", style=FAINT).append(plural(summary.peak_backlog, "job"))
    return text


def sending_warning(sending: Sending) -> list[Text]:
    """Return what must be said of late and dropped sends; nothing when there are none."""
    if not (sending.late or sending.dropped):
        return []
    worst = duration((sending.lateness.max_ms or 0.0) / 1000)
    late = f"{sending.late} of {sending.sent} jobs left more than {sending.late_after_ms:.0f} ms late"
    what = f"{late} (worst {worst}), {sending.dropped} were dropped."
    if sending.kept_up:
        return [Text(what, style=FAINT)]
    why = " The API answered too slowly: too many requests were open." if sending.held else ""
    return [Text(f"The load generator could not keep up: {what}{why}", style="bold yellow")]


def _latencies(summary: Summary) -> Table:
    names = ("latency", "accept", "queue wait", "service")
    spreads = (summary.latency, summary.accept, summary.queue_wait, summary.service)
    table = house_table("", *names, right=names)
    for name in ("mean", "stdev", "min", *PERCENTILES, "max"):
        style = "bold" if name in ("p50", "p95") else ""
        shown = name.upper() if name in PERCENTILES else name
        table.add_row(shown, *(_figure(spread, name) for spread in spreads), style=style)
    return table


def _figure(spread: Spread, name: str) -> str:
    value = getattr(spread, f"{name}_ms")
    if value is None:
        return "- "
    return duration(value / 1000) + ("*" if name in spread.few else " ")


def _footnote(summary: Summary) -> list[Text]:
    few = summary.latency.few
    if not few:
        return []
    names = ", ".join(name.upper() for name in few)
    return [Text(f"* few samples ({summary.latency.samples}) for {names}: take it as a hint", style=FAINT)]


def _stages(summary: Summary) -> Table:
    table = house_table("stage", "mean", "P50", "share of the mean job", right=("mean", "P50"))
    whole = sum(spread.mean_ms or 0.0 for spread in summary.stages.values())
    for name, spread in summary.stages.items():
        if spread.mean_ms is None or spread.p50_ms is None:
            continue
        share = max(0.0, spread.mean_ms) / whole if whole > 0 else 0.0
        bar = "█" * round(SHARE_WIDTH * share)
        shown = Text.assemble((bar, "cyan"), f" {share:.0%}".lstrip() if not bar else f" {share:.0%}")
        mean, median = duration(spread.mean_ms / 1000), duration(spread.p50_ms / 1000)
        table.add_row(_STAGE_NAMES.get(name, name), mean, median, shown)
    return table


def _queues(queues: Mapping[str, QueueFigures], seconds: float) -> Table:
    columns = ("jobs", "failed", "jobs/s", "latency P50", "wait P50", "service P50")
    table = house_table("queue", *columns, right=columns)
    for name, queue in queues.items():
        rate = f"{queue.completed / seconds:.1f}" if seconds else "-"
        spreads = (queue.latency, queue.queue_wait, queue.service)
        table.add_row(
            name, str(queue.jobs), str(queue.failed), rate, *(_figure(spread, "p50") for spread in spreads)
        )
    return table


def _workers(workers: Mapping[str, WorkerFigures], seconds: float) -> Table:
    table = house_table(
        "worker", "jobs", "busy", "of the run", "share of the jobs", right=("jobs", "busy", "of the run")
    )
    for name, worker in workers.items():
        bar = Text.assemble(("█" * round(SHARE_WIDTH * worker.share), "cyan"), f" {worker.share:.0%}")
        part = f"{worker.busy_s / seconds:.0%}" if seconds else "-"
        table.add_row(name, str(worker.jobs), duration(worker.busy_s), part, bar)
    return table


def _bursts(bursts: Sequence[Burst]) -> Table:
    right = ("burst", "at", "jobs", "peak backlog")
    table = house_table(*right, "drained after", right=right)
    for number, burst in enumerate(bursts, 1):
        last = number == len(bursts)
        never = "never" if last else "not before the next"
        drained = never if burst.drain_s is None else duration(burst.drain_s)
        table.add_row(str(number), f"{burst.at_s:.1f} s", str(burst.jobs), str(burst.peak_backlog), drained)
    return table


def _thresholds(judged: Sequence[Judged]) -> Table:
    table = house_table("threshold", "measured", "", right=("measured",))
    for one in judged:
        word, style = _KEPT[one.kept]
        value = "-" if one.value is None else f"{one.value:.1f}".removesuffix(".0")
        why = Text(f" ({one.why})" if one.why else "", style=FAINT)
        table.add_row(str(one.threshold), value, Text.assemble((word, style), why))
    return table


def written(run: str) -> Text:
    """Return where the run is."""
    return Text.assemble("Written to ", (run, COMMAND))
