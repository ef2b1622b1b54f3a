"""Where a student stands in a lab, as a code says it; and what is true whatever the machine."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from labkit.experiments.formulas import evaluate, used_names
from labkit.labs.codes import Choice, Code, Guess
from labkit.labs.content import Lab, Predict
from labkit.labs.progress import LabProgress, Prediction


def standing(student: str, lab: Lab, progress: LabProgress, now: float | None = None) -> Code:
    """Return what the code of a lab says: each check, and last whether the lab is passed.

    now: seconds since the epoch, for a lab that is not passed.
    """
    end = progress.passed_at or (time.time() if now is None else now)
    return Code(
        student,
        int(lab.number),
        (*(entry.outcome is True for entry in progress.checks), progress.passed_at is not None),
        tuple(guess_of(question, progress.predictions.get(question.id)) for question in lab.file.predict),
        round(max(0.0, end - progress.started_at) / 60),
        solved=progress.solved_by == "solve",
    )


def guess_of(question: Predict, said: Prediction | None) -> Guess:
    """Return a prediction as a code keeps it: a number, or the place of a choice."""
    if said is None:
        return None
    if question.kind == "choice":
        return Choice(question.choices.index(str(said.value))) if said.value in question.choices else None
    return said.value if isinstance(said.value, int | float) else None


def settled(lab: Lab, but: Collection[str]) -> Mapping[str, float | str]:
    """Return the right answers that use none of the names in `but`."""
    found: dict[str, float | str] = {}
    for question in lab.file.predict:
        if question.kind == "choice":
            found[question.id] = str(question.answer)
        elif not used_names(question.answer) & set(but):
            found[question.id] = evaluate(question.answer, lab.file.numbers)
    return found
