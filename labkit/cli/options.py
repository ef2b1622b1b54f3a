"""Options and arguments that several commands share, and how a shell completes them."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit import words
from labkit.cli.context import Lab
from labkit.errors import LabError
from labkit.stack import LAYOUTS, SERVICES

CLASS = "What a class uses"
LABS = "Guided labs"
MEASURE = "Load and measure"
LOOK = "Look closer"
BREAK = "Break and mend"
INSTRUCTOR = "For the instructor"
KIT = "The kit itself"
PANELS = (CLASS, LABS, MEASURE, LOOK, BREAK, INSTRUCTOR, KIT)


def examples(*commands: str) -> str:
    """Return the last lines of a command's help."""
    return "\n".join(["Examples:", *(f"$ {words.command(command)}" for command in commands)])


def complete_instances(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of running instances; a shell that asks must never see an error."""
    root = context.find_root().params
    lab = Lab.of(context).choose(project=root.get("project"), runtime=root.get("runtime"))
    try:
        names = [entry.name for entry in lab.runtime.instances()]
    except LabError:
        names = []
    return [name for name in names if name.startswith(incomplete)]


def complete_services(incomplete: str) -> list[str]:
    """Return the names of services."""
    return [service.name for service in SERVICES if service.name.startswith(incomplete)]


def complete_targets(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of services and of running instances."""
    return [*complete_services(incomplete), *complete_instances(context, incomplete)]


def complete_layouts(incomplete: str) -> list[str]:
    """Return the names of layouts."""
    return [layout for layout in LAYOUTS if layout.startswith(incomplete)]


def complete_scale(incomplete: str) -> list[str]:
    """Return what can be scaled, ready for a number."""
    names = [f"{service.name}=" for service in SERVICES if service.scalable]
    return [name for name in names if name.startswith(incomplete)]


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ProjectName = Annotated[
    str | None, typer.Option("--project", help="Name of the stack; several run side by side. LAB_PROJECT")
]
PortOffset = Annotated[
    int | None, typer.Option("--port-offset", help="Number added to every port. LAB_PORT_OFFSET")
]
RuntimeKind = Annotated[
    str | None, typer.Option("--runtime", metavar="KIND", help="local, docker or auto. LAB_RUNTIME")
]
Target = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="An instance (worker-2), or a service for all its instances (worker).",
        autocompletion=complete_targets,
    ),
]
OptionalTarget = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="An instance or a service.", autocompletion=complete_targets),
]
