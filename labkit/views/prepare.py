"""The homework on the screen: what is here, what is not, and READY."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from labkit.labs.bundle import README, Bundled
from labkit.labs.prepare import Step, verdict
from labkit.views.style import COMMAND, FAINT, size

_MARKS = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("?", "yellow")}
_NAME_WIDTH = 16

RABBITMQ = "RabbitMQ 3.10 or newer (the package rabbitmq-server)"
DOCKER = "Docker with Compose v2 (RabbitMQ is among the images)"


def step_line(step: Step) -> Text:
    """Return one line: a mark, what it is about, what was seen."""
    mark, style = _MARKS[step.ok]
    return Text.assemble((mark, style), f" {step.name:{_NAME_WIDTH}} ", (step.said, "" if step.ok else style))


def ready_page(steps: Sequence[Step], code: str, student: str, start: str) -> RenderableType:
    """Return the end of prepare: READY with the code to send, or what to mend."""
    if verdict(list(steps)) is True:
        return Group(
            Text(),
            Panel.fit(
                Group(Text("READY", style="bold green", justify="center"), Text(code, style="bold")),
                padding=(0, 3),
                border_style="green",
            ),
            Text(f"Send this code to your instructor. It says that {student or 'you'} can begin."),
            Text("From now on nothing needs the network.", style=FAINT),
            Text.assemble("Begin the first lab: ", (start, COMMAND)),
        )
    steps_to_take = [step.next_step for step in steps if not step.ok and step.next_step]
    return Group(Text(), Text("NOT READY", style="bold red"), *map(Text, steps_to_take))


def bundle_page(made: Bundled, command: str) -> RenderableType:
    """Return what was written, and what the room needs besides."""
    rows = [
        f"{made.wheels} Python packages, {size(made.size)}, for Python {made.python} on {made.machine}",
        f"{made.images} Docker images, {size(made.images_size)}" if made.images else "",
        "Queue Lab itself, as it was last committed" if made.source else "",
        f"{README}: what to do on each computer",
    ]
    return Group(
        Text.assemble("Written to ", (str(made.folder), COMMAND)),
        *(Text(f"  {row}") for row in rows if row),
        Text("It was tried: pip finds everything in it, without a network.", style="green"),
        *([Text("The archive of the images was read to its end.", style="green")] if made.images else []),
        Text("Each computer also needs", style="bold"),
        Text(f"  Python {made.python}, and {DOCKER if made.images else RABBITMQ}"),
        Text.assemble("On each computer  ", (command, COMMAND)),
    )
