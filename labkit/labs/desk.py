"""A student's desk: what start, next, hint, check, solve and restart do. The command line only shows it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labkit.access import Access
from labkit.errors import BadValue
from labkit.experiments import calibrate
from labkit.experiments.calibrate import Calibration
from labkit.experiments.formulas import evaluate, used_names
from labkit.labs import amounts, checks, content, progress, staging
from labkit.labs.content import CHECK, EXERCISE, SOLUTION, Lab, Predict, Step, Transfer
from labkit.labs.evidence import Evidence
from labkit.labs.progress import Answer, Checked, LabProgress, Prediction, Progress
from labkit.labs.walk import Walk
from labkit.runtime.base import Notify, Runtime, ignore
from labkit.words import command, near

MACHINE = {"cores", "parallel"}
RECORDED = "calibration.json"
"""What the machine could do that made a recorded run; beside that run."""

TRIES = 3
"""Wrong answers to the transfer question before it is explained."""

_ROUNDING = 1e-9

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are: the labs, the run directories, and the student's own folder with the progress."""

    labs: Path
    runs: Path
    own: Path


class Desk:
    """The labs of one student on one project.

    machine: measures what this machine can do; asked only where an answer needs it. door: as `Walk` takes it.
    """

    def __init__(
        self,
        runtime: Runtime,
        access: Callable[[], Access],
        places: Places,
        machine: Callable[[], Calibration],
        door: Sequence[str] = (),
    ) -> None:
        self.runtime = runtime
        self._access = access
        self._places = places
        self._machine = machine
        self._door = door

    @property
    def progress(self) -> Progress:
        """What has been done so far. Raises ProjectError."""
        return progress.load(self._file)

    def labs(self) -> list[Lab]:
        """Return all labs, in order. Raises BadValue."""
        return content.everything(self._places.labs)

    def lab(self, name: str | None = None) -> Lab:
        """Return the lab of this name; without one the current lab, else the first. Raises UnknownName."""
        if name is not None:
            return content.find(name, self._places.labs)
        known = content.names(self._places.labs)
        current = self.progress.current
        return content.find(current if current in known else known[0], self._places.labs)

    def following(self, lab: Lab) -> Lab | None:
        """Return the next lab that has not been passed; None after the last."""
        later = [name for name in content.names(self._places.labs) if name > lab.name]
        open_ = [name for name in later if not self._passed(name)]
        return content.find(open_[0], self._places.labs) if open_ else None

    def missing(self, lab: Lab) -> list[str]:
        """Return the labs that should have been passed before."""
        required = [content.find(name, self._places.labs).name for name in lab.file.requires]
        return [name for name in required if not self._passed(name)]

    def here(self, lab: Lab) -> Path:
        """Return the student's own folder for a lab."""
        return self._places.own / lab.name

    def begin(self, lab: Lab, *, replay: bool = False) -> LabProgress:
        """Make it the current lab, and begin it unless it was begun before. Raises BadValue."""
        if replay and not lab.file.replay:
            raise BadValue(
                f"{lab.name} has no recorded run.",
                "It needs a running stack: labctl lab start " + lab.number,
            )
        state = self.progress.of(lab.name) or LabProgress(time.time())
        if replay and not state.replay:
            state = replace(state, replay=True, prepared_at=time.time())
        staging.provide(lab, self.here(lab))
        return self._keep(lab, state)

    def would_empty(self) -> bool:
        """Whether the stack, which is up, has anything in it that `prepare` deletes. Raises LabError."""
        return staging.is_busy(self._access())

    def prepare(self, lab: Lab, notify: Notify = ignore) -> LabProgress:
        """Put the stack, which is up, into the lab's state. Raises LabError."""
        staging.prepare(self.runtime, self._access(), lab, notify)
        state = self.state(lab)
        # Somebody who comes back from another lab keeps what was measured before.
        return self._keep(lab, replace(state, prepared_at=state.prepared_at or time.time()))

    def state(self, lab: Lab) -> LabProgress:
        """Return how far the lab is. Raises BadValue when it was not started."""
        found = self.progress.of(lab.name)
        if found is None:
            raise BadValue(f"{lab.name} has not been started.", f"Start it: labctl lab start {lab.number}")
        return found

    def questions(self, lab: Lab) -> list[Predict]:
        """Return the predictions that are still to be made."""
        made = self.state(lab).predictions
        return [entry for entry in lab.file.predict if entry.id not in made]

    def predict(self, lab: Lab, wanted: str, value: str, why: str = "") -> None:
        """Keep a prediction; a choice is made by its number or its words. Raises BadValue, UnknownName."""
        asked = lab.prediction(wanted)
        made = Prediction(_read(asked, value), why.strip(), time.time())
        state = self.state(lab)
        self._keep(lab, replace(state, predictions={**state.predictions, wanted: made}))

    def step(self, lab: Lab) -> tuple[int, Step]:
        """Return the present step and its number, from 1."""
        number = max(1, self.state(lab).step)
        return number, self.steps(lab)[number - 1]

    def steps(self, lab: Lab) -> Sequence[Step]:
        """Return all steps of the lab; in a replay those of reading."""
        return lab.steps(replay=self.state(lab).replay)

    def shown(self, lab: Lab, step: Step) -> Step:
        """Return the step with its command as it is typed here."""
        places = {"{here}": near(str(self.here(lab))), "{run}": near(str(lab.recorded))}
        typed, text = step.command, step.text
        for name, place in places.items():
            typed, text = typed.replace(name, place), text.replace(name, place)
        return step.model_copy(update={"command": command(typed) if typed else "", "text": text})

    def next(self, lab: Lab) -> tuple[int, Step] | None:
        """Go on to the next step and return it; None after the last one."""
        state = self.state(lab)
        if state.step >= len(self.steps(lab)):
            return None
        self._keep(lab, replace(state, step=state.step + 1))
        return self.step(lab)

    def hint(self, lab: Lab) -> tuple[int, str]:
        """Return the next hint with its number, from 1; after the last one, the last again."""
        state = self.state(lab)
        number = min(state.hints + 1, len(lab.file.hints))
        self._keep(lab, replace(state, hints=number))
        return number, lab.file.hints[number - 1]

    def check(self, lab: Lab, told: Say = lambda _: None) -> Iterator[Checked]:
        """Run the checks, giving each outcome as it comes, and keep them all at the end. Raises LabError.

        Without all predictions nothing is looked at.
        """
        state = self.state(lab)
        evidence = self.evidence(lab, state, told)
        found = checks.load(lab.folder / CHECK)
        outcomes: list[Checked] = []
        for outcome in found.run(evidence):
            outcomes.append(outcome)
            yield outcome
        passed = all(outcome.outcome for outcome in outcomes)
        figures = dict(found.numbers(evidence)) if passed else {}
        state = replace(self.state(lab), checks=tuple(outcomes), runs=evidence.used, figures=figures)
        self._keep(lab, self._finished(state))

    def evidence(self, lab: Lab, state: LabProgress, told: Say = lambda _: None) -> Evidence:
        """Return what checks look at."""
        return Evidence(
            lab,
            state,
            self.runtime,
            self._access,
            self._places.runs,
            self.here(lab) / EXERCISE if lab.has_code else None,
            lambda: self._machine_of(lab),
            told,
        )

    def question(self, lab: Lab) -> str | None:
        """Return the transfer question with the student's figures; None while checks are open."""
        state = self.state(lab)
        if not _all_passed(state):
            return None
        return lab.file.transfer.question.format(**{**lab.file.numbers, **state.figures})

    def answer(self, lab: Lab, value: float) -> Answer:
        """Keep the answer to the transfer question, which passes the lab if it is right or was explained.

        Raises BadValue while checks are open.
        """
        state = self.state(lab)
        if not _all_passed(state):
            raise BadValue("The checks come before this question.", "See: labctl lab check")
        asked = lab.file.transfer
        expected = evaluate(asked.answer, {**lab.file.numbers, **state.figures})
        tries = (state.transfer.tries if state.transfer else 0) + 1
        given = Answer(value, expected, _near(value, expected, asked), tries)
        self._keep(lab, self._finished(replace(state, transfer=given)))
        return given

    def truths(self, lab: Lab) -> Mapping[str, float | str]:
        """Return the right answer of each prediction, for this machine."""
        numbers = dict(lab.file.numbers)
        if self.needs_machine(lab):
            machine = self._machine_of(lab)
            workers = int(numbers.get("workers", lab.file.stack.workers))
            numbers |= {"cores": machine.cores, "parallel": machine.parallel(workers)}
        return {
            entry.id: evaluate(entry.answer, numbers) if entry.kind == "number" else str(entry.answer)
            for entry in lab.file.predict
        }

    def needs_machine(self, lab: Lab) -> bool:
        """Whether a right answer depends on what the machine can do."""
        formulas = [entry.answer for entry in lab.file.predict if entry.kind == "number"]
        return any(used_names(formula) & MACHINE for formula in formulas)

    def solve(self, lab: Lab, told: Say = lambda _: None, *, quiet: bool = False) -> Path | None:
        """Do the lab instead of the student, and mark it so; return where their program was put, if any.

        In a replay all is done already.
        """
        state = self._keep(lab, replace(self.state(lab), solved_by="solve", step=len(self.steps(lab))))
        aside = None
        if lab.has_code:
            aside = staging.put_aside(self.here(lab) / EXERCISE)
            shutil.copyfile(lab.folder / SOLUTION, self.here(lab) / EXERCISE)
        if not state.replay:
            self.walk(lab, told, quiet=quiet).play(lab.file.walk)
        return aside

    def walk(self, lab: Lab, told: Say = lambda _: None, *, quiet: bool = False) -> Walk:
        """Return what plays a script in the student's folder."""
        return Walk(self.runtime, self.here(lab), told, quiet=quiet, door=self._door)

    def restart(self, lab: Lab) -> Path | None:
        """Forget what was done in the lab; return where the student's program was put, if there is one."""
        state = self.progress.of(lab.name)
        aside = staging.put_aside(self.here(lab) / EXERCISE) if lab.has_code else None
        staging.provide(lab, self.here(lab))
        self._keep(lab, LabProgress(time.time(), starts=(state.starts if state else 0) + 1))
        return aside

    def note_code(self, lab: Lab, code: str) -> None:
        """Keep the short code of the present state."""
        self._keep(lab, replace(self.state(lab), code=code))

    @property
    def _file(self) -> Path:
        return self._places.own / progress.FILE

    def _machine_of(self, lab: Lab) -> Calibration:
        """Return what this machine can do; in a replay what the one could that made the run."""
        state = self.progress.of(lab.name)
        there = calibrate.load(lab.recorded / RECORDED) if state and state.replay else None
        return there or self._machine()

    def _passed(self, name: str) -> bool:
        found = self.progress.of(name)
        return found is not None and found.passed_at is not None

    def _keep(self, lab: Lab, state: LabProgress) -> LabProgress:
        progress.save(self._file, self.progress.having(lab.name, state))
        return state

    def _finished(self, state: LabProgress) -> LabProgress:
        answered = state.transfer is not None and (state.transfer.right or state.transfer.tries >= TRIES)
        if not (_all_passed(state) and answered):
            return state
        by = state.solved_by or "student"
        return replace(state, passed_at=state.passed_at or time.time(), solved_by=by)


def _all_passed(state: LabProgress) -> bool:
    return bool(state.checks) and all(check.outcome for check in state.checks)


def _near(value: float, expected: float, asked: Transfer) -> bool:
    slack = asked.tolerance
    if isinstance(slack, str):
        slack = abs(expected) * float(slack.rstrip("%")) / 100
    return abs(value - expected) <= slack + _ROUNDING


def _read(asked: Predict, text: str) -> float | str:
    if asked.kind == "choice":
        return _choice(asked, text.strip())
    return amounts.number(text, asked.unit)


def _choice(asked: Predict, text: str) -> str:
    if text.isdecimal() and 1 <= int(text) <= len(asked.choices) and text not in asked.choices:
        return asked.choices[int(text) - 1]
    found = [choice for choice in asked.choices if choice.lower() == text.lower()]
    if not found:
        raise BadValue(
            f"{amounts.printable(text)!r} is none of the choices.",
            f"Type a number from 1 to {len(asked.choices)}.",
        )
    return found[0]


def is_right(asked: Predict, value: float | str, truth: float | str) -> bool:
    """Return whether a prediction is as near as its question allows."""
    if isinstance(value, str) or isinstance(truth, str):
        return value == truth
    return abs(value - truth) <= asked.tolerance + _ROUNDING
