"""Keeping labs honest: each fails unsolved, passes when it is solved, and fails again after a restart."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.cores import allowed_cores, is_busy, programs
from labkit.errors import LabError
from labkit.experiments.formulas import evaluate
from labkit.labs.checks import load
from labkit.labs.content import CHECK, EXERCISE, README, SOLUTION, Lab
from labkit.labs.desk import Desk, is_right
from labkit.labs.evidence import recorded
from labkit.labs.progress import Checked

HEADINGS = ("Question", "Predict", "Do", "Look", "Explain", "Check", "Going further")
CLASS_MIN = 90
AROUND_MIN = 19
"""Minutes of the class that are no lab: ready-check 5, buffer 8, exit question 6."""
CHECK_S = 10.0
LOSES_NOTHING = "TODO"

Say = Callable[[str], None]
Known = Callable[[str], str]
"""Says what is wrong with a command of labctl; empty if nothing is."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was looked at: which lab (empty: all of them), what, and the problem, empty if none."""

    lab: str
    what: str
    problem: str = ""


def static(labs: Sequence[Lab], known: Known) -> Iterator[Found]:
    """Look at the files only."""
    numbers = [lab.number for lab in labs]
    gapless = numbers == [f"{number:02}" for number in range(len(labs))]
    yield Found("", "numbers without gaps", "" if gapless else f"they are {', '.join(numbers)}")
    minutes = sum(lab.file.minutes for lab in labs if lab.file.core) + AROUND_MIN
    yield Found("", f"{CLASS_MIN} minutes", "" if minutes == CLASS_MIN else f"they add up to {minutes}")
    for lab in labs:
        for what, problem in _files(lab, labs, known):
            yield Found(lab.name, what, problem)


def in_short(found: Sequence[Found]) -> Iterator[Found]:
    """Return one line a lab, or its problems."""
    for lab in dict.fromkeys(entry.lab for entry in found):
        own = [entry for entry in found if entry.lab == lab]
        yield from [entry for entry in own if entry.problem] or [Found(lab, f"files ({len(own)})")]


def _files(lab: Lab, labs: Sequence[Lab], known: Known) -> Iterator[tuple[str, str]]:
    text = (lab.folder / README).read_text(encoding="utf-8") if (lab.folder / README).is_file() else ""
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    yield "headings in order", "" if headings == list(HEADINGS) else f"they are {', '.join(headings)}"
    typed = [step.command for step in lab.file.step if step.command]
    unwritten = [command for command in typed if command.split("{here}")[0] not in text]
    yield "each step is in the README", f"missing: {unwritten[0]}" if unwritten else ""
    read = [step.command for step in lab.file.reading if step.command]
    walked = [move.command for move in (*lab.file.walk, *lab.file.spoiled.walk)]
    problems = [problem for command in (*typed, *read, *walked) if (problem := known(command))]
    yield "commands exist", problems[0] if problems else ""
    earlier = {other.number for other in labs if other.number < lab.number}
    unmet = [wanted for wanted in lab.file.requires if wanted[:2] not in earlier]
    yield "requires earlier labs", f"{unmet[0]} is none" if unmet else ""
    missing = lab.file.replay and not recorded(lab)
    yield "its recorded run is there", lab.file.replay if missing else ""
    yield "checks can be loaded", _loaded(lab)
    yield "it can be solved", "" if lab.has_code or lab.file.walk else "it has neither walk nor solution"
    if lab.has_code:
        yield "exercise and solution", _code(lab)


def _loaded(lab: Lab) -> str:
    try:
        return "" if load(lab.folder / CHECK).checks else "there are none"
    except LabError as error:
        return error.message


def _code(lab: Lab) -> str:
    exercise = (lab.folder / EXERCISE).read_text(encoding="utf-8")
    solution = (
        (lab.folder / SOLUTION).read_text(encoding="utf-8") if (lab.folder / SOLUTION).is_file() else ""
    )
    if LOSES_NOTHING not in exercise:
        return "exercise.py has no TODO"
    if not solution or LOSES_NOTHING in solution:
        return "solution.py is missing, or has a TODO"
    change = lab.file.spoiled.change
    return "" if change is None or change[0] in solution else "spoiled.change does not fit solution.py"


def on_the_stack(desk: Desk, lab: Lab, told: Say = lambda _: None) -> Iterator[Found]:
    """Work through one lab on a stack that is up: untouched, solved, restarted, spoiled. Raises LabError."""
    yield _must_not_pass(desk, lab, "untouched, it does not pass", told)
    told("solving")
    desk.solve(lab, told, quiet=True)
    yield from _must_pass(desk, lab, told)
    yield _must_not_pass(desk, lab, "after a restart it does not pass", told)
    told("spoiling")
    _spoil(desk, lab, told)
    outcomes, _ = _checked(desk, lab, told)
    yield Found(
        lab.name, f"spoiled, it does not pass ({_counted(outcomes)})", "it passes" if _all(outcomes) else ""
    )


def solved(desk: Desk, lab: Lab, told: Say = lambda _: None) -> Iterator[Found]:
    """Work through one lab once, as it is meant. Raises LabError."""
    _begin(desk, lab, told)
    told("solving")
    desk.solve(lab, told, quiet=True)
    yield from _must_pass(desk, lab, told)


def _begin(desk: Desk, lab: Lab, told: Say) -> None:
    told("making the stack ready")
    desk.restart(lab)
    desk.prepare(lab)
    for wanted, value in desk.truths(lab).items():
        desk.predict(lab, wanted, str(value), "dev check")


def _must_not_pass(desk: Desk, lab: Lab, what: str, told: Say) -> Found:
    _begin(desk, lab, told)
    outcomes, _ = _checked(desk, lab, told)
    return Found(lab.name, f"{what} ({_counted(outcomes)})", "it passes" if _all(outcomes) else "")


def _must_pass(desk: Desk, lab: Lab, told: Say) -> Iterator[Found]:
    outcomes, seconds = _checked(desk, lab, told)
    failed = [f"{entry.line}: {entry.said}" for entry in outcomes if not entry.outcome]
    busy = is_busy(programs(), allowed_cores())
    if failed and busy and all(entry.outcome is not False for entry in outcomes):
        yield Found(lab.name, f"solved, it is not known to pass: this machine was busy ({'; '.join(failed)})")
        return
    yield Found(lab.name, "solved, it passes", "; ".join(failed))
    slow = seconds > CHECK_S and not lab.has_code
    yield Found(lab.name, f"checked in {seconds:.1f} s", f"{CHECK_S:g} s are allowed" if slow else "")
    if failed:
        return
    yield Found(lab.name, "the last question can be answered", _answered(desk, lab))
    off = compared(desk, lab)
    if off and is_busy(programs(), allowed_cores()):
        yield Found(lab.name, f"what is measured is not known: this machine was busy ({off})")
    else:
        yield Found(lab.name, "what is measured is what is true", off)


def _answered(desk: Desk, lab: Lab) -> str:
    try:
        question = desk.question(lab)
        names = {**lab.file.numbers, **desk.state(lab).figures}
        answer = desk.answer(lab, evaluate(lab.file.transfer.answer, names))
    except (KeyError, LabError) as error:
        return f"it cannot: {error}"
    return "" if question and answer.right and desk.state(lab).passed_at else "the right answer does not pass"


def compared(desk: Desk, lab: Lab) -> str:
    """Return the first figure of a checked lab that is not what is true; empty if all are."""
    figures, truths = desk.state(lab).figures, desk.truths(lab)
    for entry in lab.file.predict:
        if not entry.measured:
            continue
        if entry.measured not in figures:
            return f"check.py has no figure {entry.measured}"
        if not is_right(entry, figures[entry.measured], truths[entry.id]):
            return f"{entry.id}: {figures[entry.measured]:.3g} measured, {truths[entry.id]:.3g} expected"
    return ""


def _spoil(desk: Desk, lab: Lab, told: Say) -> None:
    spoiled = lab.file.spoiled
    if spoiled.change is not None:
        solution = (lab.folder / SOLUTION).read_text(encoding="utf-8")
        program: Path = desk.here(lab) / EXERCISE
        program.write_text(solution.replace(*spoiled.change), encoding="utf-8")
    desk.walk(lab, told, quiet=True).play(spoiled.walk)


def _checked(desk: Desk, lab: Lab, told: Say) -> tuple[list[Checked], float]:
    told("checking")
    begun = time.monotonic()
    return list(desk.check(lab, told)), time.monotonic() - begun


def _all(outcomes: Sequence[Checked]) -> bool:
    return all(entry.outcome for entry in outcomes)


def _counted(outcomes: Sequence[Checked]) -> str:
    """Write how many checks passed, failed and are unknown."""
    signs = ((True, "passed"), (False, "failed"), (None, "unknown"))
    counts = [(sum(entry.outcome is value for entry in outcomes), name) for value, name in signs]
    return ", ".join(f"{count} {name}" for count, name in counts if count)
