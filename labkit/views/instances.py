"""The page of `ps`: one line an instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.table import Table

from labkit.runtime.base import Instance, Stats
from labkit.views import style

_ID_LENGTH = 12


def instances_table(instances: Sequence[Instance], stats: Mapping[str, Stats], now: datetime) -> Table:
    """Return the table; `stats` by instance, `now` in UTC. A dash stands for what nothing runs for."""
    numbers = ("up", "restarts", "CPU", "memory")
    table = style.house_table("instance", "state", "id", *numbers, right=numbers)
    for found in instances:
        use = stats.get(found.name)
        table.add_row(
            found.name,
            style.state(found.state),
            found.id[:_ID_LENGTH] or "-",
            style.coarse((now - found.started_at).total_seconds()) if found.started_at else "-",
            str(found.restarts),
            f"{use.cpu_percent:.0f}%" if use else "-",
            style.size(use.rss_bytes) if use else "-",
        )
    return table
