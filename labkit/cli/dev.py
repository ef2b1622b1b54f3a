"""dev check."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import typer
import typer.main

from labkit.cli.context import Lab
from labkit.cli.lifecycle import start
from labkit.cli.options import KIT, AsJson, Yes, examples
from labkit.stack import KEEP

app = typer.Typer()
dev = typer.Typer(no_args_is_help=True, help="For those who write labs.")
app.add_typer(dev, name="dev", rich_help_panel=KIT)

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
