"""A query and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.syntax import Syntax
from rich.text import Text

from labkit.views.style import FAINT, house_table


def query_page(sql: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> RenderableType:
    """Return the SQL, and its rows as a table; numbers stand on the right."""
    numbers = tuple(
        name
        for index, name in enumerate(columns)
        if rows and all(isinstance(row[index], int | float | Decimal | None) for row in rows)
    )
    table = house_table(*columns, right=numbers)
    for row in rows:
        table.add_row(*map(_cell, row))
    code = Syntax(sql, "sql", theme="ansi_dark", background_color="default")
    return Group(code, Text(""), table if rows else Text("No rows.", style=FAINT))


def _cell(value: object) -> str:
    """Write numbers with a point as the queries round them: three digits behind it."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float | Decimal) else str(value)
