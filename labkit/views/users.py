"""Accounts as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from labkit.views import style

if TYPE_CHECKING:
    from services.common.jobs import User


def users_table(users: Sequence[User]) -> RenderableType:
    """Return a line for each account."""
    if not users:
        return Text("There are no users.", style=style.FAINT)
    table = style.house_table("name", "role", "since")
    for user in users:
        table.add_row(user.username, user.role, _since(user).strftime("%Y-%m-%d %H:%M UTC"))
    return table


def record(user: User) -> dict[str, str]:
    """Return what is told of an account."""
    return {"username": user.username, "role": user.role, "created_at": _since(user).isoformat()}


def _since(user: User) -> datetime:
    return datetime.fromtimestamp(user.created_at, UTC)
