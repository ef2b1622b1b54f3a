"""lab list, start, next, hint, check, solve, restart, report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from labkit.cli.context import Lab as Context
from labkit.cli.lifecycle import start as start_stack
from labkit.cli.live import page
from labkit.cli.options import LABS, AsJson, Yes, examples
from labkit.cli.results import near
from labkit.errors import BadValue, LabError
from labkit.views.style import COMMAND
from labkit.words import command

if TYPE_CHECKING:
    from labkit.experiments.calibrate import Calibration
    from labkit.labs.content import Lab, Predict
    from labkit.labs.desk import Desk
    from labkit.labs.progress import Checked

app = typer.Typer()
lab = typer.Typer(no_args_is_help=True, help="Guided labs: predict, do, look, check.")
app.add_typer(lab, name="lab", rich_help_panel=LABS)


def complete_labs(incomplete: str) -> list[str]:
    """Return the names of labs."""
    from labkit.labs.content import names  # noqa: PLC0415 - slow

    return [name for name in names() if name.startswith(incomplete)]


Name = Annotated[
    str | None,
    typer.Argument(metavar="LAB", help="A number or name; the current lab.", autocompletion=complete_labs),
]


@lab.command("list", epilog=examples("lab list"))
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


@lab.command(epilog=examples("lab start 03", "lab start 06 --replay"))
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
    if not state.replay and (state.prepared_at is None or elsewhere):
        _make_ready(context, desk, chosen, assume_yes=yes)
    _predict(context, desk, chosen, predict or (), why)
    if desk.state(chosen).step == 0:
        desk.next(chosen)
    _show_step(context, desk, chosen)


@lab.command("next", epilog=examples("lab next"))
def following(ctx: typer.Context) -> None:
    """Show the next step of the current lab."""
    context = Context.of(ctx)
    desk = desk_of(context)
    chosen = desk.lab()
    state = desk.state(chosen)
    if desk.questions(chosen) or state.prepared_at is None:
        raise _unasked(chosen)
    if state.passed_at is None and desk.next(chosen) is not None:
        _show_step(context, desk, chosen)
    elif state.passed_at is None:
        context.say(f"That was the last step. Now: {command('lab check')}")
    else:
        _show_following(context, desk, chosen)


@lab.command(epilog=examples("lab hint"))
def hint(ctx: typer.Context, name: Name = None) -> None:
    """Show a hint, one at a time."""
    context = Context.of(ctx)
    desk = desk_of(context)
    chosen = desk.lab(name)
    number, text = desk.hint(chosen)
    _tell(context, f"Hint {number} of {len(chosen.file.hints)}: {text}")


@lab.command(epilog=examples("lab check", "lab check 03 --answer 30", "lab check --json"))
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
        raise _unasked(chosen)
    context.say(f"checking {chosen.name} …", style="dim")
    found: list[Checked] = []
    with page(context) as show:
        for outcome in desk.check(chosen, show):
            context.out.print(view.check_lines(outcome, context.here, found[-1] if found else None))
            found.append(outcome)
    context.out.print(view.verdict_line(found))
    if all(outcome.outcome for outcome in found):
        _ask_transfer(context, desk, chosen, answer)
    _show_code(context, desk, chosen)
    if as_json:
        context.show("", {"lab": chosen.name, **asdict(desk.state(chosen))}, as_json=True)
    _exit(desk, chosen, found)


@lab.command(epilog=examples("lab solve", "lab solve 03"))
def solve(ctx: typer.Context, name: Name = None, yes: Yes = False) -> None:
    """Do the lab for you; the page you hand in says so."""
    context = Context.of(ctx)
    desk = desk_of(context)
    chosen = desk.lab(name)
    if desk.questions(chosen) or desk.state(chosen).prepared_at is None:
        raise _unasked(chosen)
    if not yes and not context.ask("Do this lab for you? The page you hand in will say so."):
        context.say("Nothing was done.")
        return
    aside = desk.solve(chosen, lambda typed: context.say(f"\n$ {command(typed)}", style="bold cyan"))
    if aside is not None:
        context.say(f"Your program is kept as {aside}.")
    context.say(f"\nDone. Now: {command('lab check')}")


@lab.command(epilog=examples("lab restart", "lab restart 03"))
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


@lab.command(epilog=examples("lab report", "lab report --open", "lab report -o anna.html"))
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
    if not context.runtime.instances():
        start_stack(context, options(chosen.file.stack), assume_yes=assume_yes)
    with context.out.status("Queues, workers and faults …"):
        desk.prepare(chosen)
    context.say(ready_words(chosen.file.stack), style="dim")


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
    shown = view.step_page(number, len(chosen.file.step), desk.shown(chosen, step), context.here)
    context.out.print(shown, crop=False)
    last = number == len(chosen.file.step)
    context.say(f"\nThen: {command('lab check' if last else 'lab next')}", style="dim")


def _ask_transfer(context: Context, desk: Desk, chosen: Lab, answer: float | None) -> None:
    """Ask the last question, unless it was answered before."""
    state = desk.state(chosen)
    question = desk.question(chosen)
    if state.passed_at is None and question is not None:
        _tell(context, f"\nOne last question. {question}", "bold")
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
        value = typer.prompt(f"Your answer{unit}", type=float) if answer is None else answer
        given = desk.answer(chosen, value)
        if given.right:
            _tell(context, f"Right. {transfer.why}", "green")
        elif desk.state(chosen).passed_at is not None:
            _tell(context, f"It is {given.expected:.3g} {transfer.unit}. {transfer.why}", "yellow")
        else:
            _tell(context, f"Not quite. {transfer.hint}", "yellow")
        if answer is not None or desk.state(chosen).passed_at is not None:
            return


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
    _show_following(context, desk, chosen)


def _show_following(context: Context, desk: Desk, chosen: Lab) -> None:
    later = desk.following(chosen)
    if later is None:
        context.say("That was the last lab.")
    else:
        context.say(f"Next: {command(f'lab start {later.number}')}   ({later.file.title})")


def _tell(context: Context, text: str, style: str = "") -> None:
    """Print sentences, broken between words."""
    context.out.print(Text(context.here(text), style=style))


def _unasked(chosen: Lab) -> BadValue:
    return BadValue(
        "First the stack is made ready and you say what you expect.",
        f"Go on: {command(f'lab start {chosen.number}')}",
    )


def _exit(desk: Desk, chosen: Lab, found: Sequence[Checked]) -> None:
    outcomes = [outcome.outcome for outcome in found]
    if False in outcomes:
        raise typer.Exit(1)
    if None in outcomes:
        raise typer.Exit(2)
    if desk.state(chosen).passed_at is None:
        raise typer.Exit(1)
