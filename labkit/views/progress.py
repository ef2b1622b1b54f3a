"""The progress of up, down and scale: what happens to each instance."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from labkit.runtime.base import Event, Progress
from labkit.views.style import FAINT

_DONE = {Progress.READY: "green", Progress.STOPPED: "green"}


def progress_line(event: Event) -> str:
    """Return the event as one plain line, for a log or a pipe."""
    what = " ".join(filter(None, (event.instance, event.progress.value)))
    return f"{event.at_s:6.1f} s  {what}"


def progress_table(events: Sequence[Event], elapsed_s: float) -> Table:
    """Return one line an instance, with the newest state and when it came; a spinner while it is not done."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(min_width=14)
    table.add_column(min_width=9)
    table.add_column(justify="right", min_width=7)
    newest = {event.instance: event for event in events}
    for event in newest.values():
        done = event.progress in _DONE
        seconds = event.at_s if done else elapsed_s
        table.add_row(
            _mark(done=done), event.instance, _word(event.progress), Text(f"{seconds:.1f} s", style=FAINT)
        )
    return table


def _mark(*, done: bool) -> RenderableType:
    return Text("✓", style="green") if done else Spinner("dots", style="cyan")


def _word(progress: Progress) -> Text:
    return Text(progress.value, style=_DONE.get(progress, "cyan"))
