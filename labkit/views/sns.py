"""What the API made of storage events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from labkit.views import style


def heard_table(answers: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return what became of each object of each message, in their order."""
    parts: list[RenderableType] = []
    for answer in answers:
        if answer["confirmed"]:
            parts.append(Text("The subscription is confirmed.", style="green"))
            continue
        table = style.house_table("object", "outcome")
        for record in answer["records"]:
            table.add_row(record["key"], style.state(record["outcome"]))
        parts.append(table)
    return Group(*parts)
