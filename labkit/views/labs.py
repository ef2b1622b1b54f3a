"""Labs: the list, the beginning of one, its steps, what the checks say, and prediction beside measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from labkit.experiments.formulas import used_names
from labkit.labs.amounts import amount
from labkit.labs.content import Lab, Predict, Stack, Step
from labkit.labs.desk import MACHINE, is_right
from labkit.labs.devcheck import Found
from labkit.labs.progress import Checked, LabProgress, Progress
from labkit.views.style import COMMAND, FAINT, house_table, plural

Here = Callable[[str], str]
"""Writes the commands of a text as they are typed here."""

_SIGNS = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}


@dataclass(frozen=True, slots=True)
class Guess:
    """A prediction beside the truth and what was measured."""

    asked: Predict
    value: float | str
    truth: float | str
    measured: float | None


def listed(labs: Sequence[Lab], progress: Progress) -> RenderableType:
    """Return one row a lab: number, title, minutes, how far it is."""
    table = house_table("lab", "minutes", "what it is about", "so far", right=("minutes",))
    for lab in labs:
        name = Text(lab.name, style=COMMAND, no_wrap=True)
        far = standing(progress.of(lab.name))
        state = progress.of(lab.name)
        if lab.name == progress.current and state is not None and state.passed_at is None:
            far.append(" ◀")
        table.add_row(name, str(lab.file.minutes), lab.file.title, far)
    return table


def standing(state: LabProgress | None) -> Text:
    """Return how far a lab is, in a word or two."""
    if state is None:
        return Text("-", style=FAINT)
    if state.passed_at is not None:
        return Text("passed" if state.solved_by != "solve" else "solved for you", style="green")
    if state.checks:
        done = sum(check.outcome is True for check in state.checks)
        return Text(f"{done} of {len(state.checks)} checks", style="yellow")
    return Text("started", style="cyan")


def opening(lab: Lab, missing: Sequence[str]) -> RenderableType:
    """Return the screen with which a lab begins."""
    file = lab.file
    head = Text(f"Lab {lab.number} · {file.title}", style="bold")
    facts = Text(f"about {file.minutes} min · {', '.join(file.concepts)}", style=FAINT)
    parts: list[RenderableType] = [head, facts, "", Text(file.question, style="bold cyan"), Text(file.about)]
    if missing:
        names = ", ".join(missing)
        parts += ["", Text(f"Better do {names} before. You can go on all the same.", style="yellow")]
    return Group(*parts)


def ready_words(stack: Stack) -> str:
    """Return the state in which the lab begins, in a line."""
    limit = f"prefetch {stack.prefetch}" if stack.prefetch else "no prefetch limit"
    return f"Ready: {plural(stack.workers, 'worker')}, {limit}, layout {stack.layout}, no job waits."


BACK_AGAIN = (
    "The stack is as at the beginning of this lab. What earlier steps changed in it (scale, up, chaos) "
    "has to be typed again."
)


def replay_words(cores: float | None) -> str:
    """Return what a student should know who reads a recorded run."""
    where = f" on a computer with {cores:g} cores" if cores else ""
    return (
        f"\nYou read a recorded run, made with this kit{where}. You need no stack. "
        "Where the text says your run or this computer, it means that one."
    )


def asking(number: int, of: int, asked: Predict) -> RenderableType:
    """Return a question of the prediction."""
    text = Text.assemble((f"Prediction {number} of {of}  ", "bold"), asked.question)
    choices = [Text(f"  {place}  {choice}") for place, choice in enumerate(asked.choices, start=1)]
    return Group("", text, *choices)


def predicted(lab: Lab, state: LabProgress) -> RenderableType:
    """Return what the student expects, in one line each."""
    table = house_table("you expect", "question")
    for entry in lab.file.predict:
        if entry.id in state.predictions:
            table.add_row(
                amount(state.predictions[entry.id].value, entry.unit), Text(entry.question, style=FAINT)
            )
    return Group("", table)


def step_page(number: int, of: int, step: Step, here: Here) -> RenderableType:
    """Return one step: the command, and what to look at."""
    head = Text(f"Step {number} of {of} · {step.title}", style="bold")
    parts: list[RenderableType] = ["", head]
    if step.text:
        parts.append(Text(here(step.text)))
    if step.command:
        if step.terminal > 1:
            parts.append(Text(f"In terminal {step.terminal}:", style="yellow"))
        # A long one is left to the terminal to break, so that it can be copied as a whole.
        typed = Text(f"    {here(step.command)}", style=COMMAND, no_wrap=True, overflow="ignore")
        parts += ["", typed, ""]
    if step.look:
        parts.append(Text.assemble(("Look: ", "bold"), here(step.look)))
    return Group(*parts)


def check_lines(check: Checked, here: Here, before: Checked | None = None) -> RenderableType:
    """Return a check: its line and, where it did not pass, the reason and a next step.

    What stands under the check `before` it already is not said again.
    """
    sign, style = _SIGNS[check.outcome]
    head = Text.assemble((f"{sign} ", style), check.line)
    if check.outcome is True:
        return Group(head, _indented(Text(check.said, style=FAINT)))
    if before is not None and (before.said, before.next_step) == (check.said, check.next_step):
        return Group(head, _indented(Text("the same", style=style)))
    reason = f"unknown: {check.said}" if check.outcome is None else check.said
    parts = [_indented(Text(reason, style=style))]
    if check.next_step:
        parts.append(_indented(Text(here(check.next_step))))
    return Group(head, *parts)


def verdict_line(checks: Sequence[Checked]) -> Text:
    """Return how many checks passed."""
    passed = sum(check.outcome is True for check in checks)
    style = "bold green" if passed == len(checks) else "bold"
    return Text(f"{passed} of {plural(len(checks), 'check')} passed.", style=style)


def comparison(guesses: Iterable[Guess]) -> RenderableType:
    """Return each prediction beside what is right and what was measured, and why."""
    parts: list[RenderableType] = [Text("What you expected, and what it is", style="bold")]
    for guess in guesses:
        parts += _compared(guess)
    return Group(*parts)


def guesses(
    lab: Lab, state: LabProgress, truths: Mapping[str, float | str], figures: Mapping[str, float]
) -> list[Guess]:
    """Return the predictions that were made, with truth and measurement."""
    return [
        Guess(entry, state.predictions[entry.id].value, truths[entry.id], figures.get(entry.measured))
        for entry in lab.file.predict
        if entry.id in state.predictions
    ]


def _indented(text: Text, by: int = 2) -> Padding:
    return Padding(text, (0, 0, 0, by), expand=False)


def found_line(found: Found) -> RenderableType:
    """Return one line of `dev check`."""
    sign, style = _SIGNS[not found.problem]
    line = Text.assemble((f"{sign} ", style), (f"{found.lab or 'all labs'}: ", FAINT), found.what)
    return Group(line, _indented(Text(found.problem, style="red"))) if found.problem else line


def _compared(guess: Guess) -> list[RenderableType]:
    asked = guess.asked
    right = is_right(asked, guess.value, guess.truth)
    sign, style = _SIGNS[True] if right else ("≠", "yellow")
    line = Text.assemble("", (f"{sign} ", style), asked.question)
    said = Text.assemble("you: ", (amount(guess.value, asked.unit), "bold"))
    said.append(f"   {_source(asked)}: {amount(guess.truth, asked.unit)}")
    if guess.measured is not None:
        said.append(f"   measured: {amount(guess.measured, asked.unit)}")
    return [line, _indented(said), _indented(Text(asked.why, style=FAINT))]


def _source(asked: Predict) -> str:
    """Say where the truth comes from: a choice, this computer's speed, or arithmetic alone."""
    if asked.kind == "choice":
        return "it is"
    return "this computer can" if used_names(asked.answer) & MACHINE else "by arithmetic"
