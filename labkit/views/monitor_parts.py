"""The parts of the monitor's screen; each is a list of lines that are as wide as the screen at most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.text import Text

from labkit.analysis.statistics import samples_needed
from labkit.monitor.picture import TREND_S, Picture, waits_for_retry
from labkit.sampling.samples import InstanceSample, QueueSample, StageSample
from labkit.stack import WORKERS
from labkit.views import style
from labkit.views.lines import Cell, Column, fit, heading, printable, row, sparkline
from services.common.topology import (
    DEAD_LETTER,
    IMAGE_POOLS,
    NOTIFIER_EVENTS,
    TRACKER_EVENTS,
    WORK_QUEUES,
    Layout,
    filled_in,
)

MARKS = 3
RETRYING = "waiting for retry"
_UNKNOWN = "-"
_JOB_ID = 8

_QUEUE_COLUMNS = (
    Column("queue", 18),
    Column("ready", 6, "right"),
    Column("in hand", 7, "right"),
    Column("consumers", 9, "right"),
    Column("in/s", 6, "right"),
    Column("out/s", 6, "right"),
    Column("oldest", 8, "right"),
)
_WORKER_COLUMNS = (
    Column("worker", 15),
    Column("state", 8),
    Column("job", 11),
    Column("stage", 7),
    Column("done", 6, "right"),
    Column("failed", 6, "right"),
    Column("restarts", 8, "right"),
    Column("CPU", 4, "right"),
)


def queues(picture: Picture, width: int) -> list[Text]:
    """Return the work queues that matter, and those of the table's events when they lag behind."""
    columns: tuple[Column, ...] = _QUEUE_COLUMNS
    trend = width - sum(column.width + 1 for column in columns)
    if trend >= len("2 min"):
        columns = (*columns, Column("last 2 min", trend))
    layout = _layout(picture.sample.instances)
    found = [queue for queue in picture.sample.queues if _matters(queue, layout)]
    if retrying := [queue for queue in picture.sample.queues if waits_for_retry(queue.name)]:
        found.append(QueueSample(RETRYING, sum(queue.ready for queue in retrying)))
    if not found:
        return [Text("queues: not known", style="red", end="")]
    return [heading(columns), *(_queue(queue, picture, columns) for queue in found)]


def _layout(instances: Iterable[InstanceSample]) -> Layout:
    return "per-operation" if any(entry.service in IMAGE_POOLS for entry in instances) else "single"


def _matters(queue: QueueSample, layout: Layout) -> bool:
    if queue.name in WORK_QUEUES:
        moves = queue.ready or queue.unacked or queue.in_per_s or queue.out_per_s
        return queue.name in filled_in(layout) or bool(moves)
    return queue.name in (TRACKER_EVENTS, NOTIFIER_EVENTS) and queue.ready > 0


def _queue(queue: QueueSample, picture: Picture, columns: Sequence[Column]) -> Text:
    waiting = queue.name == RETRYING
    deaf = queue.ready > 0 and not queue.consumers and not waiting
    cells: list[Cell] = [
        queue.name,
        str(queue.ready),
        _count(queue.unacked),
        Text("none!", style="bold red") if deaf else _UNKNOWN if waiting else str(queue.consumers),
        _rate(queue.in_per_s),
        _rate(queue.out_per_s),
        _UNKNOWN if queue.oldest_s is None else style.coarse(queue.oldest_s),
    ]
    if len(columns) > len(cells):
        cells.append(_trend(picture.trends.get(queue.name, ()), columns[-1].width))
    return row(columns, cells)


def _trend(points: Sequence[tuple[float, int]], width: int) -> str:
    """Draw the last two minutes in `width` characters, the highest value of each slice."""
    slices: list[float | None] = [None] * width
    for age_s, ready in points:
        place = width - 1 - min(width - 1, int(age_s / TREND_S * width))
        slices[place] = max(ready, slices[place] or 0)
    return sparkline(slices)


def backlog(picture: Picture, width: int) -> Text:
    """Return how much waits, how fast it goes, and how long that takes."""
    parts = [
        f"backlog {_count(picture.backlog)}",
        f"arriving {_rate(picture.arriving_per_s)}/s",
        f"finished {_rate(picture.completed_per_s)}/s",
        f"work for {_UNKNOWN if picture.drain_s is None else style.coarse(picture.drain_s)}",
    ]
    return Text(fit(" · ".join(parts), width), style="bold", end="")


def worker_lines(picture: Picture, width: int) -> list[Text]:
    """Return a line for each worker, those that need a look first."""
    found = [entry for entry in picture.sample.instances if entry.service in WORKERS]
    if not found:
        return [Text(fit("no worker runs", width), style="bold red", end="")]
    columns = (*_WORKER_COLUMNS, Column("memory", max(6, min(8, _left(width))), "right"))
    found.sort(key=lambda entry: entry.state == "running")
    return [heading(columns), *(_worker(entry, columns) for entry in found)]


def _left(width: int) -> int:
    return width - sum(column.width + 1 for column in _WORKER_COLUMNS)


def _worker(entry: InstanceSample, columns: Sequence[Column]) -> Text:
    cells: list[Cell] = [
        entry.name,
        style.state(entry.state),
        _jobs(entry.job_ids),
        entry.stage or _UNKNOWN,
        _count(entry.done),
        Text(_count(entry.failed), style="red" if entry.failed else ""),
        str(entry.restarts),
        _percent(entry.cpu_percent),
        _UNKNOWN if entry.memory_bytes is None else style.size(entry.memory_bytes),
    ]
    return row(columns, cells)


def _jobs(job_ids: Sequence[str]) -> str:
    if not job_ids:
        return _UNKNOWN
    more = f" +{len(job_ids) - 1}" if len(job_ids) > 1 else ""
    return f"{job_ids[0][:_JOB_ID]}{more}"


def services(picture: Picture, width: int) -> Text:
    """Return the other services with their CPU use, or what they do instead of running."""
    by_service: defaultdict[str, list[InstanceSample]] = defaultdict(list)
    for entry in picture.sample.instances:
        if entry.service not in WORKERS:
            by_service[entry.service].append(entry)
    line = Text(no_wrap=True, end="")
    for name, group in by_service.items():
        bad = [entry for entry in group if entry.state != "running"]
        said = printable(f"{name} {bad[0].state}" if bad else f"{name} {_percent(_cpu(group))}")
        line.append("  " if line else "CPU  ", style.FAINT)
        line.append(f"✖ {said}" if bad else said, "bold red" if bad else "")
    line.truncate(width, overflow="ellipsis")
    return line


def _cpu(group: Iterable[InstanceSample]) -> float | None:
    known = [entry.cpu_percent for entry in group if entry.cpu_percent is not None]
    return sum(known) if known else None


def latency(picture: Picture, width: int) -> list[Text]:
    """Return how long each stage took for the jobs that ended within the last minute."""
    stages = picture.sample.stages
    if not stages:
        return [Text(fit("latency: no job ended within the last minute", width), style=style.FAINT, end="")]
    label = Column("last minute", 12)
    each = max(8, min(12, (width - label.width - 1) // len(stages) - 1))
    columns = (label, *(Column(stage.name, each, "right") for stage in stages))
    few = any(_few(stage) for stage in stages)
    lines = [
        heading(columns),
        row(columns, ["P50", *(style.duration(stage.p50_s) for stage in stages)]),
        row(columns, ["P95 (* few)" if few else "P95", *map(_p95, stages)]),
    ]
    for line in lines:
        line.truncate(width)
    return lines


def _few(stage: StageSample) -> bool:
    return stage.samples < samples_needed(0.95)


def _p95(stage: StageSample) -> str:
    return style.duration(stage.p95_s) + ("*" if _few(stage) else "")


def dead_letters(picture: Picture, width: int) -> Text:
    """Return how many dead letters there are, and why jobs failed."""
    count = next((queue.ready for queue in picture.sample.queues if queue.name == DEAD_LETTER), None)
    reasons = ", ".join(f"{reason} {number}" for reason, number in picture.sample.dead_by_reason.items())
    text = f"dead letters {_count(count)}" + (f" · failed jobs by reason: {reasons}" if reasons else "")
    return Text(fit(text, width), style="red" if count else "", end="")


def marks(picture: Picture, width: int) -> list[Text]:
    """Return what was done last, newest first."""
    newest = sorted(picture.marks, reverse=True)[:MARKS]
    return [Text(fit(f"{_time(mark.at)}  {mark.kind}  {mark.text}", width), end="") for mark in newest]


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at):%H:%M:%S}"  # noqa: DTZ006  (the reader's own clock)


def _count(number: int | None) -> str:
    return _UNKNOWN if number is None else str(number)


def _rate(per_s: float | None) -> str:
    return _UNKNOWN if per_s is None else f"{per_s:.1f}" if per_s < 1000 else f"{per_s:.0f}"  # noqa: PLR2004


def _percent(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.0f}%"
