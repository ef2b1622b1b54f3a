"""Displays that change while a command runs; without a terminal they are plain lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from labkit.cli.context import Lab
from labkit.control.faults import seconds_left
from labkit.runtime.base import Event, Notify
from labkit.views.progress import progress_line, progress_table

REFRESH_PER_S = 8


@contextmanager
def progress(lab: Lab) -> Iterator[Notify]:
    """Show what happens to each instance; give the function that takes the events."""
    if not lab.out.is_interactive:
        yield lambda event: lab.out.print(progress_line(event), soft_wrap=True)
        return
    events: list[Event] = []
    started = time.monotonic()
    with _live(lab, lambda: progress_table(list(events), time.monotonic() - started)):
        yield events.append


@contextmanager
def page(lab: Lab) -> Iterator[Callable[[RenderableType], None]]:
    """Show the newest of the pages given to the function; without a terminal, none of them."""
    if not lab.out.is_interactive:
        yield lambda _: None
        return
    with Live(console=lab.out, refresh_per_second=REFRESH_PER_S, transient=True) as live:
        yield live.update


def countdown(lab: Lab, total_s: float, sentence: str) -> None:
    """Wait, showing the seconds that are left before `sentence`; Ctrl-C ends the wait."""
    with suppress(KeyboardInterrupt), page(lab) as show:
        for left in seconds_left(total_s):
            show(Text(f"{left:4.1f} s  {sentence}", style="yellow"))


def _live(lab: Lab, render: Callable[[], RenderableType]) -> Live:
    return Live(get_renderable=render, console=lab.out, refresh_per_second=REFRESH_PER_S)
