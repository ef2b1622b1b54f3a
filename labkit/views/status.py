"""The one screen of `status`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labkit.overview import Overview, QueueDepth
from labkit.runtime.base import Instance, State
from labkit.stack import DEFAULT_LAYOUT
from labkit.views import style
from labkit.views.faults import faults_text
from services.common.messages import RANK
from services.common.topology import DEAD_LETTER, Layout, filled_in

MANY = 6


def status_page(overview: Overview, runtime: str) -> RenderableType:
    """Return services, queues and jobs; what did not answer is said in red at the end."""
    parts: list[RenderableType] = [_headline(overview, runtime)]
    if overview.faults is not None and overview.faults.active:
        parts.append(faults_text(overview.faults))
    parts += ["", _services(overview.instances)]
    if overview.queues is not None:
        parts += ["", _queues(overview.queues, overview.layout)]
    if overview.jobs is not None:
        parts += ["", _jobs(overview.jobs)]
    parts += [Text(f"not reachable: {sentence}", style="red") for sentence in overview.unreachable]
    return Group(*parts)


def _headline(overview: Overview, runtime: str) -> Text:
    running = sum(found.state == State.RUNNING for found in overview.instances)
    total = len(overview.instances)
    text = Text(f"Project {overview.project}: ", style="bold")
    text.append(f"{running} of {total} running", style="green" if running == total else "red")
    about = [f"{runtime} runtime"]
    if overview.layout != DEFAULT_LAYOUT:
        about.append(f"layout {overview.layout}")
    if overview.port_offset:
        about.append(f"ports + {overview.port_offset}")
    return text.append(f", {', '.join(about)}", style="not bold")


def _services(instances: Sequence[Instance]) -> Table:
    table = style.house_table("service", "state", "instances")
    by_service: defaultdict[str, list[Instance]] = defaultdict(list)
    for found in instances:
        by_service[found.service].append(found)
    for service, group in by_service.items():
        table.add_row(service, _states(group), _names(group))
    return table


def _states(group: Sequence[Instance]) -> Text:
    counts = Counter(found.state for found in group)
    if len(counts) == 1:
        return style.state(group[0].state)
    parts = [Text(f"{count} {word}", style=style.STATES[word]) for word, count in counts.items()]
    return Text(", ").join(parts)


def _names(group: Sequence[Instance]) -> str:
    names = [found.name for found in group]
    return " ".join(names) if len(names) <= MANY else f"{names[0]} … {names[-1]} ({len(names)})"


def _queues(queues: Sequence[QueueDepth], layout: Layout) -> Table:
    """List the queues of the layout, and those of the other one in which something is left."""
    always = (*filled_in(layout), DEAD_LETTER)
    table = style.house_table("queue", "waiting", "consumers", right=("waiting", "consumers"))
    for queue in queues:
        if queue.name in always or queue.ready:
            loud = "red" if queue.name == DEAD_LETTER and queue.ready else ""
            table.add_row(queue.name, Text(str(queue.ready), style=loud), _consumers(queue))
    return table


def _consumers(queue: QueueDepth) -> str:
    return "-" if queue.name == DEAD_LETTER else str(queue.consumers)


def _jobs(jobs: Mapping[str, int]) -> Text:
    text = Text("jobs", style="bold")
    if not jobs:
        return text.append("  none yet", style="not bold")
    for status in (known for known in RANK if known in jobs):
        text.append(f"  {jobs[status]} ", style="not bold")
        text.append(status, style=f"not bold {style.STATUSES[status]}")
    return text
