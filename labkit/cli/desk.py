"""A student's desk as a command finds it, and what several of the lab commands say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from labkit.cli.context import Lab as Context
from labkit.errors import BadValue
from labkit.words import command

if TYPE_CHECKING:
    from labkit.experiments.calibrate import Calibration
    from labkit.labs.content import Lab
    from labkit.labs.desk import Desk


def complete_labs(incomplete: str) -> list[str]:
    """Return the names of labs."""
    from labkit.labs.content import names  # noqa: PLC0415 - slow

    return [name for name in names() if name.startswith(incomplete)]


Name = Annotated[
    str | None,
    typer.Argument(metavar="LAB", help="A number or name; the current lab.", autocompletion=complete_labs),
]


def desk_of(context: Context) -> Desk:
    """Return the desk of the student who sits at this project."""
    from labkit.labs.progress import folder  # noqa: PLC0415 - slow

    return desk_at(context, folder(context.runtime.project))


def desk_at(context: Context, own: Path) -> Desk:
    """Return a desk with its files in the folder `own`."""
    from labkit.labs.content import LABS  # noqa: PLC0415 - slow
    from labkit.labs.desk import Desk, Places  # noqa: PLC0415 - slow

    places = Places(LABS, context.runs, own)
    return Desk(context.runtime, context.access, places, lambda: _machine(context))


def _machine(context: Context) -> Calibration:
    from labkit.experiments import calibrate  # noqa: PLC0415 - slow

    kind = context.runtime.kind
    path = calibrate.place(context.runtime.project.root, kind)
    with context.err.status("Measuring this machine …") as status:
        return calibrate.ensure(path, [], lambda text: status.update(f"Measuring {text} …"), kind)


def show_following(context: Context, desk: Desk, chosen: Lab) -> None:
    """Say which lab comes next."""
    later = desk.following(chosen)
    if later is None:
        context.say(f"That was the last lab. Make the page that you hand in: {command('lab report')}")
    else:
        tell(context, f"Next: {command(f'lab start {later.number}')}\n      {later.file.title}")


def tell(context: Context, text: str, style: str = "") -> None:
    """Print sentences, broken between words."""
    context.out.print(Text(context.here(text), style=style))


def unasked(chosen: Lab) -> BadValue:
    """Return what is said to somebody who has not predicted yet."""
    return BadValue(
        "First the stack is made ready and you say what you expect.",
        f"Go on: {command(f'lab start {chosen.number}')}",
    )
