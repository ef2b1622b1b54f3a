"""The first page of help: what a class uses comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from labkit.views.style import COMMAND, FAINT


@dataclass(frozen=True)
class Section:
    """A panel: its title and its lines, each a name and what it does."""

    title: str
    lines: Sequence[tuple[str, str]]


def help_page(usage: str, summary: str, sections: Sequence[Section], footer: str) -> RenderableType:
    """Return the page; the names of all panels share one width."""
    width = max(len(name) for section in sections for name, _ in section.lines)
    panels = [
        _panel(section, width, border="cyan" if n == 0 else FAINT) for n, section in enumerate(sections)
    ]
    return Group(Text(usage, style="bold"), Text(summary), *panels, Text(footer, style=FAINT))


def _panel(section: Section, width: int, border: str) -> Panel:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=width, no_wrap=True, style=COMMAND)
    table.add_column()
    for name, what in section.lines:
        table.add_row(name, what)
    return Panel(table, title=section.title, title_align="left", border_style=border, box=box.ROUNDED)
