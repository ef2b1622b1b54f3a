"""The dead-letter queue: its numbers, its letters, one letter, a replay."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from labkit.views import style

Letter = Mapping[str, Any]


def dead_letters(stats: Mapping[str, Any]) -> RenderableType:
    """Return the numbers of the dead-letter queue: messages in it, and failed jobs by reason."""
    headline = f"{style.plural(stats['failed_messages'], 'message')} in {stats['dlq']}"
    reasons = style.house_table("reason", "failed jobs", right=("failed jobs",))
    for reason, count in sorted(stats["by_reason"].items()):
        reasons.add_row(reason, str(count))
    return Group(Text(headline, style="bold"), reasons) if stats["by_reason"] else Text(headline)


def letters_table(letters: Sequence[Letter]) -> RenderableType:
    """Return one line a letter, oldest first."""
    if not letters:
        return Text("The dead-letter queue is empty.", style="green")
    table = style.house_table("job", "why", "tries", "replays", right=("tries", "replays"))
    table.columns[0].no_wrap = True
    for letter in letters:
        replays = "-" if letter["replays"] is None else str(letter["replays"])
        why = ", ".join(dict.fromkeys(filter(None, (letter["reason"], letter["error_code"]))))
        table.add_row(letter["job_id"], why, str(letter["attempt"]), replays)
    return table


def letter_page(letter: Letter) -> RenderableType:
    """Return one letter: why it died, its headers, and the job in it."""
    table = style.house_table("header", "value")
    for name, value in sorted(letter["headers"].items()):
        table.add_row(name, value)
    job = Text("These bytes are no job.", style="red")
    if letter["job"] is not None:
        job = Text(json.dumps(letter["job"], indent=2, ensure_ascii=False))
    return Group(Text(_why(letter), style="bold red"), table, Text("job", style="bold"), job)


def replay_text(done: Mapping[str, Any]) -> Text:
    """Return what a replay did, in a sentence or two."""
    verb = "Would send" if done["dry_run"] else "Sent"
    parts = [f"{verb} {style.plural(done['replayed'], 'job')} again."]
    if done["skipped"]:
        parts.append(f"{style.plural(len(done['skipped']), 'letter')} skipped: no job is in it.")
    if done["missing"]:
        parts.append(f"No letter of: {', '.join(done['missing'])}.")
    return Text(" ".join(parts), style="" if done["replayed"] else "yellow")


def _why(letter: Letter) -> str:
    return " - ".join(filter(None, (letter["reason"], letter["error_message"])))
