"""up, down, reset."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from labkit.cli.context import Lab
from labkit.cli.live import progress
from labkit.cli.options import (
    BREAK,
    CLASS,
    PortOffset,
    RuntimeKind,
    Yes,
    complete_layouts,
    complete_services,
    examples,
)
from labkit.control import reset as resetting
from labkit.control.marks import mark
from labkit.errors import MissingProgram
from labkit.links import main_links
from labkit.settings import program_settings
from labkit.stack import DOCKER_SERVICES, WORKER, WORKERS, Options, find_layout, layout_in
from labkit.views.links import next_steps, ready
from labkit.views.style import duration, plural
from labkit.words import command
from services.common.topology import Layout

app = typer.Typer()


def start(lab: Lab, options: Options, *, assume_yes: bool) -> float:
    """Bring the stack up, installing programs that are missing; return the seconds it took."""
    started = time.monotonic()
    if not lab.runtime.instances():
        lab.say("\n".join(lab.explain(lab.settings)))
    try:
        _up(lab, options, assume_yes)
    except KeyboardInterrupt:
        lab.say(f"What has started keeps running. Go on: {command('up')}   End it: {command('down')}")
        raise
    return time.monotonic() - started


def _up(lab: Lab, options: Options, assume_yes: bool) -> None:  # noqa: FBT001  (as it is given)
    installed: set[str] = set()
    while True:
        try:
            with progress(lab) as notify:
                lab.runtime.up(options, notify)
        except MissingProgram as missing:
            if missing.program in {"", *installed}:
                raise
            lab.install(missing.program, assume_yes)
            installed.add(missing.program)
        else:
            return


@app.command(
    rich_help_panel=CLASS,
    epilog=examples("up", "up --workers 3 --prefetch 10", "up --layout per-operation", "up --only rabbitmq"),
)
def up(
    ctx: typer.Context,
    workers: Annotated[int | None, typer.Option(min=0, help="How many workers.")] = None,
    prefetch: Annotated[
        int | None, typer.Option(min=0, help="Unacknowledged jobs a worker may hold; 0: no limit.")
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="LAYOUT",
            help="single: one queue for all images; per-operation: a queue and workers for each.",
            autocompletion=complete_layouts,
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="SVC", help="Start only this service.", autocompletion=complete_services),
    ] = None,
    dashboard: Annotated[
        bool | None, typer.Option("--dashboard/--no-dashboard", help="The page for a browser, too.")
    ] = None,
    observability: Annotated[
        bool | None,
        typer.Option("--observability/--no-observability", help="Prometheus, too; on Docker also Grafana."),
    ] = None,
    runtime: RuntimeKind = None,
    port_offset: PortOffset = None,
    yes: Yes = False,
) -> None:
    """Start the stack and wait until it is ready."""
    lab = Lab.of(ctx).choose(runtime=runtime, port_offset=port_offset)
    counts = {} if workers is None else {WORKER: workers}
    options = Options(
        counts=counts,
        layout=None if layout is None else find_layout(layout),
        prefetch=prefetch,
        settings=program_settings(),
        extras=_extras(only or (), dashboard=dashboard, observability=observability),
        only=tuple(only or ()),
    )
    before = layout_of(lab) if lab.runtime.instances() else None
    seconds = start(lab, options, assume_yes=yes)
    in_force = layout_of(lab)
    if before not in (None, in_force):
        mark(lab.runtime.project, "up", f"layout {before} → {in_force}")
    headline = f"Ready in {duration(seconds)}, {_workers(lab, in_force)}."
    steps = [(lab.here(command(what)), why) for what, why in next_steps(in_force)]
    lab.out.print(ready(headline, main_links(lab.runtime), steps))
    _say_what_surprises(lab, first=before is None, workers=workers, layout=in_force)


def _say_what_surprises(lab: Lab, *, first: bool, workers: int | None, layout: Layout) -> None:
    """Say which ports were kept, and for what a number of workers does not count."""
    offset = lab.runtime.project.port_offset
    if offset and first and "port_offset" not in lab.settings.model_fields_set:
        lab.say(f"Ports: as before, + {offset}. The usual ones: down, then {command('up --port-offset 0')}")
    if workers is not None and layout == "per-operation":
        lab.say(
            f"--workers counts from the next layout single on; pools have numbers of their own: "
            f"{command('scale convert=3')}",
            style="yellow",
        )


def _extras(only: Sequence[str], **asked: bool | None) -> dict[str, bool]:
    """Return which extras were asked for; whoever names one of their services alone wants it, too."""
    named: dict[str, bool] = {}
    named.update(
        (service.extra, True) for service in DOCKER_SERVICES if service.extra and service.name in only
    )
    return named | {name: wanted for name, wanted in asked.items() if wanted is not None}


def layout_of(lab: Lab) -> Layout:
    """Return the layout of the running stack."""
    return layout_in(lab.runtime.environment())


def _workers(lab: Lab, layout: Layout) -> str:
    running = sum(entry.service in WORKERS for entry in lab.runtime.instances())
    return plural(running, "worker") + (" in pools" if layout == "per-operation" else "")


@app.command(rich_help_panel=CLASS, epilog=examples("down", "down --delete-data"))
def down(
    ctx: typer.Context,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", "--clean", help="Remove this project's data and logs too.")
    ] = False,
) -> None:
    """Stop everything; data stays."""
    lab = Lab.of(ctx)
    was_up = bool(lab.runtime.instances())
    with progress(lab) as notify:
        lab.runtime.down(delete_data=delete_data, notify=notify)
    first = "Stopped." if was_up else "Nothing was running."
    lab.say(f"{first} {'All data of this project is removed.' if delete_data else 'Data stays.'}")


@app.command(rich_help_panel=BREAK, epilog=examples("reset", "reset --yes"))
def reset(ctx: typer.Context, yes: Yes = False) -> None:
    """Empty queues, jobs and store; back to the default settings.

    Workers, prefetch, layout and faults become as after a first `up`.
    """
    lab = Lab.of(ctx)
    access = lab.access()
    if not yes and not lab.ask("Delete all jobs, messages and images of this stack?"):
        lab.say("Nothing was changed.")
        return
    with lab.out.status("Emptying the stack and starting it afresh …"):
        swept = resetting.reset(lab.runtime, access)
    removed = (plural(swept.messages, "message"), plural(swept.jobs, "job"), plural(swept.objects, "object"))
    lab.say(f"Removed {', '.join(removed)}. One worker, prefetch 1, layout single.")
