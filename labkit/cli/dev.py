"""dev check, screenshots."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
import typer.main

from labkit.access import api
from labkit.cli.context import Lab
from labkit.cli.lifecycle import start
from labkit.cli.options import KIT, AsJson, Yes, examples
from labkit.install.environment import ensure
from labkit.project import REPOSITORY
from labkit.stack import KEEP, Options

app = typer.Typer()
dev = typer.Typer(no_args_is_help=True, help="For those who write labs.")
app.add_typer(dev, name="dev", rich_help_panel=KIT)

DOCS = REPOSITORY / "docs"
COLUMNS, LINES = 110, 32
"""Of the picture of the monitor."""

QUICK = ("00", "08")
"""Labs that are quick to work through."""


@dev.command(epilog=examples("dev check", "dev check 03", "dev check --all"))
def check(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[LAB...]", help="Work through these on the stack.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Work through all labs on the stack; about ten minutes.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Prove that each lab fails unsolved and passes when it is solved.

    The files of all labs are looked at. Without names two quick labs are worked through.
    """
    from labkit.cli.desk import desk_at  # noqa: PLC0415 - slow
    from labkit.labs import devcheck  # noqa: PLC0415 - slow
    from labkit.views.labs import found_line  # noqa: PLC0415 - slow

    lab = Lab.of(ctx)
    if as_json:
        lab.out = lab.err  # standard output belongs to the JSON
    desk = desk_at(lab, lab.runtime.project.state_dir / "dev-check")
    all_labs = desk.labs()
    chosen = all_labs if everything else [desk.lab(name) for name in names or QUICK]
    results = list(devcheck.static(all_labs, lambda typed: _problem(ctx, typed)))
    lab.out.print(*map(found_line, devcheck.in_short(results)), sep="\n")
    start(lab, KEEP, assume_yes=yes)
    for one in chosen:
        with lab.err.status(one.name) as status:
            for found in devcheck.on_the_stack(desk, one, _under(one.name, status.update)):
                results.append(found)
                lab.out.print(found_line(found))
    problems = sum(bool(found.problem) for found in results)
    lab.say(f"{len(results)} looked at, {problems} problems.", style="bold red" if problems else "bold green")
    lab.show("", [asdict(found) for found in results], as_json=as_json)
    if problems:
        raise typer.Exit(1)


@dev.command(epilog=examples("dev screenshots", "dev screenshots --variants /tmp/looks"))
def screenshots(
    ctx: typer.Context,
    variants: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Dark, narrow and phone pictures, too, in a folder.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Take the pictures of the dashboard and of the monitor that the pages show.

    Sends a workload through the running stack, and takes docs/dashboard.png and docs/monitor.png meanwhile.
    """
    from labkit import screenshots as taking  # noqa: PLC0415 - slow
    from labkit.monitor.live import LiveFeed  # noqa: PLC0415 - slow
    from labkit.monitor.picture import History  # noqa: PLC0415 - slow
    from labkit.views.monitor import Surround, monitor_page  # noqa: PLC0415 - slow
    from labkit.views.svg import svg_of  # noqa: PLC0415 - slow

    lab = Lab.of(ctx)
    ensure({"test"})
    start(lab, Options(extras={"dashboard": True}), assume_yes=yes)

    def watch(enough: Callable[[], bool]) -> str:
        history = History()
        with LiveFeed(lab.running(), lab.open_access) as feed:
            picture = history.add(feed.next())
            while not enough():
                time.sleep(1)
                picture = history.add(feed.next())
        surround = Surround(f"project {lab.runtime.project.name}", "q: quit", lab.here)
        return svg_of(monitor_page(picture, COLUMNS, LINES, surround), COLUMNS)

    places = {taking.MAIN: DOCS / "dashboard.png"}
    if variants is not None:
        places |= {shot: variants / f"{shot.name}.png" for shot in taking.VARIANTS}
    with lab.err.status("Taking pictures, which takes two minutes ..."):
        taking.take(api(lab.running()), lab.runtime.address("dashboard"), watch, places, DOCS / "monitor.png")
    lab.say("\n".join(map(str, [*places.values(), DOCS / "monitor.png"])))


def _under(name: str, update: Callable[[str], None]) -> Callable[[str], None]:
    """Return what shows a sentence under a lab's name."""
    return lambda text: update(f"{name}: {text}")


def _problem(ctx: typer.Context, typed: str) -> str:
    """Return what is wrong with a command; empty if it can be typed so."""
    command = ctx.find_root().command
    words = shlex.split(typed)
    while hasattr(command, "commands"):
        name = words.pop(0) if words else ""
        if name not in command.commands:
            return f"there is no command {name!r} in {typed!r}"
        command = command.commands[name]
    if "{here}" in typed:  # its files are not there yet
        return ""
    try:
        command.make_context(command.name, words, resilient_parsing=False)
    except typer.TyperException as error:
        return f"{typed!r}: {error}"
    return ""
