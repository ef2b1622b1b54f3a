"""An error as a person sees it: one red line with what happened, one with what to do next."""

from __future__ import annotations

import re

from rich.text import Text

# The plain name, where it stands for the command: not in a path, nor in a file name.
_PLAIN = re.compile(r"(?<![\w./\\-])labctl (?=[a-z-])")


def spoken(text: str, door: str) -> str:
    """Replace the plain name in commands like `labctl up` by the form that works here, such as `./labctl`."""
    return _PLAIN.sub(lambda _: f"{door} ", text)


def problem(message: str, next_step: str) -> Text:
    """Return the lines; the second one is missing when there is nothing to do."""
    text = Text(message, style="bold red")
    if next_step:
        text.append(f"\n{next_step}", style="not bold default")
    return text
