"""Tables as lines of a fixed width, in which nothing ever wraps: cells that are too long end in an ellipsis.

For screens that are drawn each second; a table of Rich measures each cell several times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.text import Text

_GAP = 1
_LEVELS = "▁▂▃▄▅▆▇█"

Cell = str | Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `width` cells, its heading included."""

    name: str
    width: int
    side: Literal["left", "right"] = "left"


def heading(columns: Sequence[Column]) -> Text:
    """Return the line above a table."""
    line = row(columns, [column.name for column in columns])
    line.stylize("bold")
    return line


def row(columns: Sequence[Column], cells: Sequence[Cell]) -> Text:
    """Return one line of a table; surplus width is cut."""
    line = Text(no_wrap=True, end="")
    for column, cell in zip(columns, cells, strict=True):
        plain = cell.plain if isinstance(cell, Text) else cell
        line.append(fit(plain, column.width, column.side), cell.style if isinstance(cell, Text) else "")
        line.append(" " * _GAP)
    return line


def fit(text: str, width: int, side: Literal["left", "right"] = "left") -> str:
    """Return `text` in exactly `width` cells, without line breaks and other control characters."""
    text = printable(text)
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width else ""
    return text + " " * (width - length) if side == "left" else " " * (width - length) + text


def printable(text: str) -> str:
    """Return the text with a question mark for each line break and other control character."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def sparkline(values: Sequence[float | None]) -> str:
    """Draw a character a value, the highest one full; a blank where nothing is known."""
    top = max((value for value in values if value is not None), default=0)
    return "".join(" " if value is None else _level(value, top) for value in values)


def _level(value: float, top: float) -> str:
    if value <= 0 or top <= 0:
        return _LEVELS[0]
    return _LEVELS[max(1, round(value / top * (len(_LEVELS) - 1)))]
