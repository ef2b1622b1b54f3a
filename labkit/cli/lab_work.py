"""lab list, start, next, hint: working through a lab."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from labkit.cli.context import Lab as Context
from labkit.cli.desk import Name, desk_of, show_following, tell, unasked
from labkit.cli.lifecycle import start as start_stack
from labkit.cli.options import AsJson, Yes, examples
from labkit.errors import BadValue, LabError
from labkit.words import command

if TYPE_CHECKING:
    from labkit.labs.content import Lab, Predict
    from labkit.labs.desk import Desk

app = typer.Typer()


@app.command("list", epilog=examples("lab list"))
def listing(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the labs, and how far you are."""
    from labkit.views.labs import listed  # noqa: PLC0415 - slow

    context = Context.of(ctx)
    desk = desk_of(context)
    pinned = context.class_file
    labs = [one for one in desk.labs() if pinned is None or pinned.has(one.name)]
    done = desk.progress
    data = [
        {"name": one.name, **one.file.model_dump(include={"title", "minutes", "core", "concepts"})}
        for one in labs
    ]
    context.show(listed(labs, done), {"labs": data, "progress": asdict(done)}, as_json=as_json)
    if not as_json:
        context.say(f"Begin, or go on: {command('lab start')}")


@app.command(epilog=examples("lab start 03", "lab start 06 --replay"))
def start(
    ctx: typer.Context,
    name: Name = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Read a recorded run; needs no running stack.")
    ] = False,
    predict: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=VALUE", help="A prediction, without being asked. May be repeated."),
    ] = None,
    why: Annotated[str, typer.Option(help="Why, with --predict.")] = "",
    yes: Yes = False,
) -> None:
    """Begin a lab, or go on with it: the stack is made ready, then you predict."""
    from labkit.views import labs as view  # noqa: PLC0415 - slow

    context = Context.of(ctx)
    desk = desk_of(context)
    chosen = _meant(desk, name)
    before = desk.progress.current
    state = desk.begin(chosen, replay=replay)
    context.out.print(view.opening(chosen, desk.missing(chosen)))
    elsewhere = before != chosen.name or not context.runtime.instances()
    if state.replay:
        tell(context, view.replay_words(_cores(chosen)), "yellow")
    elif state.prepared_at is None or elsewhere:
        _make_ready(context, desk, chosen, assume_yes=yes)
        if state.step > 1:
            tell(context, view.BACK_AGAIN, "yellow")
    _predict(context, desk, chosen, predict or (), why)
    if desk.state(chosen).step == 0:
        desk.next(chosen)
    _show_step(context, desk, chosen)


@app.command("next", epilog=examples("lab next"))
def following(ctx: typer.Context) -> None:
    """Show the next step of the current lab."""
    context = Context.of(ctx)
    desk = desk_of(context)
    chosen = desk.lab()
    state = desk.state(chosen)
    if desk.questions(chosen) or state.prepared_at is None:
        raise unasked(chosen)
    if state.passed_at is None and desk.next(chosen) is not None:
        _show_step(context, desk, chosen)
    elif state.passed_at is None:
        context.say(f"That was the last step. Now: {command('lab check')}")
    else:
        show_following(context, desk, chosen)


@app.command(epilog=examples("lab hint"))
def hint(ctx: typer.Context, name: Name = None) -> None:
    """Show a hint, one at a time."""
    context = Context.of(ctx)
    desk = desk_of(context)
    chosen = desk.lab(name)
    number, text = desk.hint(chosen)
    tell(context, f"Hint {number} of {len(chosen.file.hints)}: {text}")


def _meant(desk: Desk, name: str | None) -> Lab:
    """Return the lab that is meant; without a name the one after a lab that is passed."""
    found = desk.lab(name)
    state = desk.progress.of(found.name)
    if name is None and state is not None and state.passed_at is not None:
        return desk.following(found) or found
    return found


def _make_ready(context: Context, desk: Desk, chosen: Lab, *, assume_yes: bool) -> None:
    from labkit.experiments.staging import options  # noqa: PLC0415 - slow
    from labkit.views.labs import ready_words  # noqa: PLC0415 - slow

    context.say("\nMaking the stack ready for this lab …", style="dim")
    try:
        if not context.runtime.instances():
            start_stack(context, options(chosen.file.stack), assume_yes=assume_yes)
        elif not assume_yes:
            _ask_the_others(context, desk)
        with context.out.status("Queues, workers and faults …"):
            desk.prepare(chosen)
    except LabError:
        if chosen.file.replay:
            reading = command(f"lab start {chosen.number} --replay")
            context.say(f"Without a working stack you can read a recorded run: {reading}", style="yellow")
        raise
    context.say(ready_words(chosen.file.stack), style="dim")


def _ask_the_others(context: Context, desk: Desk) -> None:
    """Ask before a stack with users is emptied: what waits there may be somebody else's. Raises LabError."""
    if context.runtime.environment().get("LAB_AUTH") != "required" or not desk.would_empty():
        return
    if not context.ask("This stack has users. Delete all of its jobs, messages and images?"):
        raise LabError(
            "The lab needs an empty stack, and nothing was deleted.",
            f"Make one of your own: {command('--project mine --port-offset 100 lab start')}",
        )


def _cores(chosen: Lab) -> float | None:
    """Return how many cores the machine had on which the lab was recorded."""
    from labkit.labs.evidence import recorded  # noqa: PLC0415 - slow

    machines = (run.about.get("machine", {}).get("cores") for run in recorded(chosen))
    return next((float(cores) for cores in machines if cores), None)


def _predict(context: Context, desk: Desk, chosen: Lab, given: Sequence[str], why: str) -> None:
    for text in given:
        wanted, equals, value = text.partition("=")
        if not equals:
            raise BadValue(f"{text!r} is not like ID=VALUE.", "Write it like: --predict lost=0")
        desk.predict(chosen, wanted, value, why)
    left = desk.questions(chosen)
    if left and not sys.stdin.isatty():
        wanted = " ".join(f"--predict {entry.id}=…" for entry in left)
        raise BadValue(
            "A prediction comes first, and there is no terminal to ask.",
            f"Give it: {command(f'lab start {chosen.number} {wanted}')}",
        )
    if left:
        context.say(
            "\nFirst say what you expect. Nobody marks it; think, guess, and type a number.", style="dim"
        )
    for entry in left:
        _ask_prediction(context, desk, chosen, entry)


def _ask_prediction(context: Context, desk: Desk, chosen: Lab, entry: Predict) -> None:
    from labkit.views.labs import asking  # noqa: PLC0415 - slow

    number = chosen.file.predict.index(entry) + 1
    context.out.print(asking(number, len(chosen.file.predict), entry))
    while True:
        value = typer.prompt(f"You expect{f' ({entry.unit})' if entry.unit else ''}")
        try:
            desk.predict(chosen, entry.id, value)
        except BadValue as error:
            context.complain(error)
            continue
        break
    reason = typer.prompt("Why", default="", show_default=False)
    desk.predict(chosen, entry.id, value, reason)


def _show_step(context: Context, desk: Desk, chosen: Lab) -> None:
    from labkit.views import labs as view  # noqa: PLC0415 - slow

    number, step = desk.step(chosen)
    state = desk.state(chosen)
    if number == 1:
        context.out.print(view.predicted(chosen, state))
    count = len(desk.steps(chosen))
    shown = view.step_page(number, count, desk.shown(chosen, step), context.here)
    context.out.print(shown, crop=False)
    context.say(f"\nThen: {command('lab check' if number == count else 'lab next')}", style="dim")
