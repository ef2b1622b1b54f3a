"""An error as a person sees it: one red line with what happened, one with what to do next."""

from __future__ import annotations

import re

from rich.text import Text

# Messages name the command by its plain name; a path or a file name before or after it is left alone.
_PLAIN = re.compile(r"(?<![\w./\\-])labctl (?=[a-z-])")


def spoken(text: str, door: str) -> str:
    """Replace the plain name in commands like `labctl up` by the form that works here, such as `./labctl`."""
    return _PLAIN.sub(lambda _: f"{door} ", text)


def problem(message: str, next_step: str, door: str) -> Text:
    """Return the two lines."""
    text = Text(spoken(message, door), style="bold red")
    if next_step:
        text.append("\n")
        text.append(spoken(next_step, door), style="not bold default")
    return text
