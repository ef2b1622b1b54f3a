"""HTML that cannot be broken by what stands in it: every text is escaped, unless it was made here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_VOID = {"meta", "col"}


class Html(str):
    """A piece of finished HTML."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str) -> Html:
    """Return an element; texts among `children` are escaped. `class_` stands for `class`, `_` for `-`."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items()
    )
    if name in _VOID:
        return Html(f"<{name}{given}>")
    return Html(f"<{name}{given}>{joined(children)}</{name}>")


def joined(parts: Iterable[str]) -> Html:
    """Return the parts one after the other; texts among them are escaped."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def table(head: Iterable[str], rows: Iterable[Iterable[str]], class_: str = "") -> Html:
    """Return a table; a cell that begins with `<td` is one already."""
    top = tag("tr", *(tag("th", cell) for cell in head))
    body = (tag("tr", *map(_cell, row)) for row in rows)
    made = tag("table", tag("thead", top), tag("tbody", *body), class_=class_)
    return tag("div", made, class_="scroll")


def _cell(content: str) -> Html:
    return content if isinstance(content, Html) and content.startswith("<td") else tag("td", content)
