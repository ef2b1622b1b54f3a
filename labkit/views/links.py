"""Where the stack answers, and what to do after `up`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labkit.links import Link, Login
from labkit.views.style import COMMAND, FAINT

NEXT = (
    ("demo", "60 jobs through the pipeline, and a table of what happened"),
    ("scale 3", "three workers instead of one"),
    ("kill --random", "shoot a worker: nothing is lost"),
    ("down", "stop everything; data stays"),
)


def links_table(links: Sequence[Link], logins: Sequence[Login] = ()) -> RenderableType:
    """Return the URLs, and the logins under them if there are any."""
    table = _grid()
    for link in links:
        table.add_row(link.name, Text(link.url, style=COMMAND), Text(link.summary, style=FAINT))
    for login in logins:
        table.add_row(f"{login.name} login", Text(f"{login.user} / {login.password}", style=COMMAND), "")
    return table


def ready(headline: str, links: Sequence[Link], steps: Sequence[tuple[str, str]]) -> RenderableType:
    """Return the end of `up` in at most twelve lines: headline, URLs, and commands with what they do."""
    table = _grid()
    for command, why in steps:
        table.add_row(Text(command, style=COMMAND), Text(why, style=FAINT))
    return Group(
        Text(headline, style="bold green"), links_table(links), Text("What next", style="bold"), table
    )


def _grid() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="ellipsis", no_wrap=True)
    return table
