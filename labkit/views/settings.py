"""The page of `config`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from labkit.effective import Setting
from labkit.views import style

_SOURCES = {"default": style.FAINT, "yours": "green", "stack": "cyan"}


def settings_table(settings: Sequence[Setting]) -> Table:
    """Return one line a variable with its value and source."""
    table = style.house_table("variable", "value", "from")
    table.columns[0].no_wrap = True
    for setting in settings:
        table.add_row(setting.name, setting.value, Text(setting.source, style=_SOURCES[setting.source]))
    return table
