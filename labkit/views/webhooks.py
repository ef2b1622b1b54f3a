"""Webhooks: what arrives at a receiver, and how a job's receiver was told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rich.console import Group, RenderableType
from rich.text import Text

from labkit.views import style

if TYPE_CHECKING:
    from labkit.webhooks import Received

OUTCOMES: Mapping[str, str] = {
    "delivered": "green",
    "waiting": "yellow",
    "retrying": "magenta",
    "failed": "red",
}


def received_line(received: Received) -> Text:
    """Return a line for one POST."""
    line = Text(f"{_clock(received.at)}  {received.number:>3}  ")
    if received.problem:
        line.append("refused  ", style="red")
        return line.append(f"{received.problem}; answered {received.answered}")
    line.append("verified  ", style="green")
    line.append(f"{received.type}  {received.job_id}")
    if received.copy > 1:
        line.append(f"  the same id for the {_nth(received.copy)} time", style="yellow")
    if not received.taken:
        line.append(f"  answered {received.answered}", style="magenta")
    return line


def webhooks_part(found: Mapping[str, Any]) -> RenderableType:
    """Return how a job's receiver was told of its end, as GET /jobs/{id}/webhooks tells it."""
    head = Text("webhook  ", style=style.FAINT)
    head.append(found["status"], style=OUTCOMES.get(found["status"], ""))
    head.append(f"  to {urlsplit(found['callback_url'] or '').netloc}")
    if not found["attempts"]:
        return head
    table = style.house_table("attempt", "at", "took", "answer", "outcome", right=("attempt", "took"))
    for attempt in found["attempts"]:
        table.add_row(
            str(attempt["attempt"]),
            datetime.fromisoformat(attempt["timestamp"]).strftime("%H:%M:%S UTC"),
            style.duration(attempt["duration_ms"] / 1000),
            str(attempt["status_code"] or "-"),
            _outcome(attempt),
        )
    return Group(head, table)


def _outcome(attempt: Mapping[str, Any]) -> Text:
    text = Text(attempt["outcome"], style=OUTCOMES.get(attempt["outcome"], ""))
    if attempt["retry_in_s"] is not None:
        text.append(f" in {attempt['retry_in_s']:g} s", style="")
    if attempt["error_message"]:
        text.append(f": {attempt['error_message']}", style=style.FAINT)
    return text


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")


def _nth(count: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(count, f"{count}th")
