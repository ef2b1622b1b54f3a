"""An error as a person sees it: one red line with what happened, one with what to do next."""

from __future__ import annotations

from rich.text import Text


def problem(message: str, next_step: str) -> Text:
    """Return the lines; the second one is missing when there is nothing to do."""
    text = Text(message, style="bold red")
    if next_step:
        text.append(f"\n{next_step}", style="not bold default")
    return text
