"""lab check, solve, restart, report: what became of a lab."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from labkit.cli.context import Lab as Context
from labkit.cli.desk import Name, desk_of, show_following, tell, unasked
from labkit.cli.live import page
from labkit.cli.options import AsJson, Yes, examples
from labkit.cli.results import near
from labkit.errors import BadValue, LabError
from labkit.labs.amounts import number
from labkit.views.style import COMMAND
from labkit.words import command

if TYPE_CHECKING:
    from labkit.labs.content import Lab
    from labkit.labs.desk import Desk
    from labkit.labs.progress import Checked

app = typer.Typer()


@app.command(epilog=examples("lab check", "lab check 03 --answer 30", "lab check --json"))
def check(
    ctx: typer.Context,
    name: Name = None,
    answer: Annotated[
        float | None, typer.Option(help="Your answer to the last question, without being asked.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check what you did: exit status 0 passed, 1 not, 2 unknown."""
    from labkit.views import labs as view  # noqa: PLC0415 - slow

    context = Context.of(ctx)
    if as_json:
        context.out = context.err  # standard output belongs to the JSON
    desk = desk_of(context)
    chosen = desk.lab(name)
    if desk.questions(chosen):
        raise unasked(chosen)
    context.say(f"checking {chosen.name} …", style="dim")
    found: list[Checked] = []
    with page(context) as show:
        for outcome in desk.check(chosen, show):
            context.out.print(view.check_lines(outcome, context.here, found[-1] if found else None))
            found.append(outcome)
    context.out.print(view.verdict_line(found))
    _show_way_on(context, desk, chosen, found)
    if all(outcome.outcome for outcome in found):
        _ask_transfer(context, desk, chosen, answer)
    _show_code(context, desk, chosen)
    if as_json:
        context.show("", {"lab": chosen.name, **asdict(desk.state(chosen))}, as_json=True)
    _exit(desk, chosen, found)


@app.command(epilog=examples("lab solve", "lab solve 03"))
def solve(ctx: typer.Context, name: Name = None, yes: Yes = False) -> None:
    """Do the lab for you; the page you hand in says so."""
    context = Context.of(ctx)
    desk = desk_of(context)
    chosen = desk.lab(name)
    if desk.questions(chosen) or desk.state(chosen).prepared_at is None:
        raise unasked(chosen)
    if not yes and not context.ask("Do this lab for you? The page you hand in will say so."):
        context.say("Nothing was done.")
        return
    aside = desk.solve(chosen, lambda typed: context.say(f"\n$ {command(typed)}", style="bold cyan"))
    if aside is not None:
        context.say(f"Your program is kept as {aside}.")
    context.say(f"\nDone. Now: {command('lab check')}")


@app.command(epilog=examples("lab restart", "lab restart 03"))
def restart(ctx: typer.Context, name: Name = None, yes: Yes = False) -> None:
    """Begin a lab anew: what you did in it is forgotten."""
    context = Context.of(ctx)
    desk = desk_of(context)
    chosen = desk.lab(name)
    if not yes and not context.ask(f"Forget what you did in {chosen.name}?"):
        context.say("Nothing was changed.")
        return
    aside = desk.restart(chosen)
    if aside is not None:
        context.say(f"Your program is kept as {aside}.")
    context.say(f"{chosen.name} is as new. Begin: {command(f'lab start {chosen.number}')}")


@app.command(epilog=examples("lab report", "lab report --open", "lab report -o anna.html"))
def report(
    ctx: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there, not here.")
    ] = None,
    show_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the page that you hand in: all labs, in one file."""
    from labkit.labs.handin import file_name, hand_in  # noqa: PLC0415 - slow
    from labkit.report.handin import write_page  # noqa: PLC0415

    context = Context.of(ctx)
    desk = desk_of(context)
    pinned = context.class_file
    record = hand_in(desk.progress, desk.labs(), desk.truths, pinned.name if pinned else "")
    if not record.labs:
        raise BadValue("There is nothing to hand in yet.", f"Begin: {command('lab start')}")
    try:
        place = write_page(record, (output or Path(file_name(record))).resolve(), context.find_run)
    except OSError as error:
        raise LabError(f"The page cannot be written: {error}.", "Write it elsewhere: -o FILE") from error
    context.show(
        Text.assemble("Hand in this file: ", (near(place), COMMAND)), asdict(record), as_json=as_json
    )
    if show_it:
        typer.launch(place.as_uri())


def _show_way_on(context: Context, desk: Desk, chosen: Lab, found: Sequence[Checked]) -> None:
    """Tell somebody who did all steps, and whose computer was busy, that the class can go on."""
    outcomes = [outcome.outcome for outcome in found]
    began = desk.state(chosen).step >= len(desk.steps(chosen)) and True in outcomes
    later = desk.following(chosen)
    if began and None in outcomes and False not in outcomes and later is not None:
        on = command(f"lab start {later.number}")
        tell(context, f"Unknown is not wrong. No time to do it again? Go on, and come back later: {on}")


def _ask_transfer(context: Context, desk: Desk, chosen: Lab, answer: float | None) -> None:
    """Ask the last question, unless it was answered before."""
    state = desk.state(chosen)
    question = desk.question(chosen)
    if state.passed_at is None and question is not None:
        tell(context, f"\nOne last question. {question}", "bold")
        if answer is None and not sys.stdin.isatty():
            context.say(f"Answer it: {command('lab check --answer NUMBER')}")
            return
        _answer(context, desk, chosen, answer)
    if desk.state(chosen).passed_at is not None:
        _show_passed(context, desk, chosen)


def _answer(context: Context, desk: Desk, chosen: Lab, answer: float | None) -> None:
    transfer = chosen.file.transfer
    while True:
        unit = f" ({transfer.unit})" if transfer.unit else ""
        value = _typed(context, f"Your answer{unit}", transfer.unit) if answer is None else answer
        given = desk.answer(chosen, value)
        if given.right:
            tell(context, f"Right. {transfer.why}", "green")
        elif desk.state(chosen).passed_at is not None:
            tell(context, f"It is {given.expected:.3g} {transfer.unit}. {transfer.why}", "yellow")
        else:
            tell(context, f"Not quite. {transfer.hint}", "yellow")
        if answer is not None or desk.state(chosen).passed_at is not None:
            return


def _typed(context: Context, asked: str, unit: str) -> float:
    """Ask until a number is typed."""
    while True:
        try:
            return number(typer.prompt(asked), unit)
        except BadValue as error:
            context.complain(error)


def _show_code(context: Context, desk: Desk, chosen: Lab) -> None:
    """Print the short code of what has passed so far, and keep it."""
    from labkit.labs.codes import encode  # noqa: PLC0415 - slow
    from labkit.labs.prepare import user  # noqa: PLC0415 - slow
    from labkit.labs.standing import standing  # noqa: PLC0415 - slow

    state = desk.state(chosen)
    if any(entry.outcome for entry in state.checks):
        code = encode(standing(desk.progress.student or user(), chosen, state))
        desk.note_code(chosen, code)
        context.out.print(Text.assemble("Code for your instructor: ", (code, "bold")), soft_wrap=True)


def _show_passed(context: Context, desk: Desk, chosen: Lab) -> None:
    from labkit.views import labs as view  # noqa: PLC0415 - slow

    state = desk.state(chosen)
    found = view.guesses(chosen, state, desk.truths(chosen), state.figures)
    context.out.print("", view.comparison(found), sep="\n")
    context.say(f"\nLab {chosen.number} is passed.", style="bold green")
    show_following(context, desk, chosen)


def _exit(desk: Desk, chosen: Lab, found: Sequence[Checked]) -> None:
    outcomes = [outcome.outcome for outcome in found]
    if False in outcomes:
        raise typer.Exit(1)
    if None in outcomes:
        raise typer.Exit(2)
    if desk.state(chosen).passed_at is None:
        raise typer.Exit(1)
