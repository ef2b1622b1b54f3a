"""Where the stack answers, and what to do after `up`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labkit.links import Link, Login
from labkit.views.style import COMMAND, FAINT
from services.common.topology import Layout

_SCALE: Mapping[Layout, tuple[str, str]] = {
    "single": ("scale 3", "three workers"),
    "per-operation": ("scale convert=3", "three workers for convert"),
}

Row = tuple[str, str, str]


def links_table(links: Sequence[Link], logins: Sequence[Login] = ()) -> RenderableType:
    """Return the URLs, and the logins under them if there are any."""
    urls = _grid([(link.name, link.url, link.summary) for link in links])
    if not logins:
        return urls
    # A table of their own: passwords are wide, and what an address is for would be cut.
    return Group(urls, _grid([_secret(login) for login in logins]))


def next_steps(layout: Layout) -> Sequence[tuple[str, str]]:
    """Return what to try after `up`: commands, and what they do."""
    return (
        ("demo", "60 jobs, and a table of what happened"),
        _SCALE[layout],
        ("kill --random", "shoot a worker: nothing is lost"),
        ("down", "stop everything; data stays"),
    )


def ready(headline: str, links: Sequence[Link], steps: Sequence[tuple[str, str]]) -> RenderableType:
    """Return the end of `up` in at most twelve lines: headline, URLs, and commands with what they do."""
    return Group(
        Text(headline, style="bold green"),
        links_table(links),
        Text("What next", style="bold"),
        _grid([("", command, why) for command, why in steps]),
    )


def _secret(login: Login) -> Row:
    if not login.user:
        return (f"{login.name} secret", login.password, "")
    return (f"{login.name} login", f"{login.user} / {login.password}", "")


def _grid(rows: Sequence[Row]) -> Table:
    """Lay out rows of which only the last column gives way when the terminal is narrow."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for column in range(2):
        table.add_column(no_wrap=True, min_width=max((len(row[column]) for row in rows), default=0))
    table.add_column()
    for name, what, why in rows:
        last = Text(why, style=FAINT, no_wrap=True, overflow="ellipsis")
        table.add_row(name, Text(what, style=COMMAND), last)
    return table
