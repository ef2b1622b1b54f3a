"""How things look on every page: colours of states, units, and the house table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

STATES: Mapping[str, str] = {
    "running": "green",
    "starting": "yellow",
    "paused": "cyan",
    "stopped": "dim",
    "exited": "red",
}
STATUSES: Mapping[str, str] = {
    "pending": "dim",
    "queued": "yellow",
    "processing": "cyan",
    "retrying": "magenta",
    "completed": "green",
    "failed": "red",
}
COMMAND = "bold cyan"
FAINT = "dim"

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86_400
_KILO = 1000


def house_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table without lines; the columns in `right` are numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def state(word: str) -> Text:
    """Colour an instance's state or a job's status."""
    return Text(word, style=STATES.get(word) or STATUSES.get(word, ""))


def duration(seconds: float) -> str:
    """Write a duration as people say it: 40 ms, 2.1 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < _MINUTE_S:
        return f"{seconds:.1f} s"
    return coarse(seconds)


def coarse(seconds: float) -> str:
    """Write a duration in whole units, two at most: 12 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    whole = max(0, int(seconds))
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"


def size(count: float) -> str:
    """Write a number of bytes: 512 B, 84 kB, 1.3 MB."""
    if count < _KILO:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB"):
        count /= _KILO
        if count < _KILO:
            return f"{count:.1f} {unit}" if count < 10 and unit != "kB" else f"{count:.0f} {unit}"  # noqa: PLR2004  (one decimal below ten)
    return f"{count:.0f} GB"


def plural(count: int, noun: str) -> str:
    """Write a number with its noun: 1 worker, 3 workers."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
