"""What a student hands in: a record of the labs, which stands inside the page for people.

The record is in the page as JSON, in an element of the id `queue-lab`; `labctl class summary` reads it there.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from labkit.errors import BadValue
from labkit.labs.content import Lab, Predict
from labkit.labs.desk import is_right
from labkit.labs.progress import Answer, Checked, LabProgress, Print, Progress, SolvedBy
from labkit.runs.about import kit_version, machine

ID = "queue-lab"
OPENING, CLOSING = f'<script type="application/json" id="{ID}">', "</script>"
LARGEST_BYTES = 50_000_000

Truths = Callable[[Lab], Mapping[str, float | str]]


@dataclass(frozen=True, slots=True)
class Said:
    """A prediction beside the truth and what was measured; right: as near as the question allows.

    truth, right: None where this machine does not know them.
    """

    id: str
    question: str
    unit: str
    value: float | str
    why: str
    truth: float | str | None
    right: bool | None
    measured: float | None
    explained: str


@dataclass(frozen=True, slots=True)
class Done:
    """One lab, as far as it was done; times are seconds since the epoch. budget_min: its time in a class.

    unit: that of the answer to the last question.
    """

    name: str
    title: str
    budget_min: int
    started_at: float
    passed_at: float | None
    predictions: tuple[Said, ...]
    checks: tuple[Checked, ...]
    question: str
    transfer: Answer | None
    hints: int
    starts: int
    solved_by: SolvedBy
    replay: bool
    runs: tuple[Print, ...]
    code: str
    unit: str = ""

    @property
    def number(self) -> str:
        """Its two digits."""
        return self.name[:2]

    @property
    def minutes(self) -> float | None:
        """How long it took; None while it is not passed."""
        return None if self.passed_at is None else (self.passed_at - self.started_at) / 60


@dataclass(frozen=True, slots=True)
class HandIn:
    """All that is handed in. made_at: seconds since the epoch."""

    format: Literal[1]
    student: str
    course: str
    made_at: float
    version: str
    machine: Mapping[str, Any]
    labs: tuple[Done, ...]


def hand_in(progress: Progress, labs: Sequence[Lab], truths: Truths, course: str = "") -> HandIn:
    """Return what is handed in: every lab that was started and has something in it.

    truths: gives the right answers of a lab on this machine.
    """
    states = ((lab, progress.of(lab.name)) for lab in labs)
    done = tuple(
        _done(lab, state, truths(lab) if state.passed_at else {})
        for lab, state in states
        if state and _begun(state)
    )
    return HandIn(1, progress.student, course, time.time(), kit_version(), machine(), done)


def file_name(record: HandIn) -> str:
    """Return the name under which the page is handed in: labs-anna-k.html."""
    words = re.findall(r"\w+", record.student.lower())
    return "-".join(["labs", *words]) + ".html"


def embed(record: HandIn) -> str:
    """Return the record as an element of a page; nothing in it can end the element."""
    text = json.dumps(asdict(record), ensure_ascii=False, allow_nan=False)
    for letter, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(letter, escape)
    return f"{OPENING}{text}{CLOSING}"


def read(path: Path) -> HandIn:
    """Read the record in a page. Raises BadValue."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise BadValue(f"{path.name} is too large for a page of Queue Lab.", "Look at it.")
        page = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadValue(f"{path.name} cannot be read: {error}.", "Ask for it again.") from error
    _, found, rest = page.rpartition(OPENING)
    if not found:
        raise BadValue(f"{path.name} was not made by Queue Lab.", "Ask for the page of: labctl lab report")
    try:
        return TypeAdapter(HandIn).validate_json(rest.partition(CLOSING)[0])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "record"
        raise BadValue(
            f"The record in {path.name} is damaged: {where}: {first['msg']}.", "Ask for the page again."
        ) from error


def _begun(state: LabProgress) -> bool:
    return bool(state.predictions or state.checks)


def _done(lab: Lab, state: LabProgress, truths: Mapping[str, float | str]) -> Done:
    transfer = state.transfer if state.passed_at else None  # it holds what is right
    asked = lab.file.transfer.question if transfer else ""
    try:
        question = asked.format(**{**lab.file.numbers, **state.figures})
    except (KeyError, IndexError, ValueError):
        question = asked
    return Done(
        name=lab.name,
        title=lab.file.title,
        budget_min=lab.file.minutes,
        started_at=state.started_at,
        passed_at=state.passed_at,
        predictions=tuple(
            _said(entry, state, truths.get(entry.id))
            for entry in lab.file.predict
            if entry.id in state.predictions
        ),
        checks=state.checks,
        question=question,
        transfer=transfer,
        hints=state.hints,
        starts=state.starts,
        solved_by=state.solved_by,
        replay=state.replay,
        runs=state.runs,
        code=state.code,
        unit=lab.file.transfer.unit if transfer else "",
    )


def _said(asked: Predict, state: LabProgress, truth: float | str | None) -> Said:
    """Return a prediction; what is true stays hidden while the lab is not passed."""
    made = state.predictions[asked.id]
    shown = truth if state.passed_at else None
    return Said(
        id=asked.id,
        question=asked.question,
        unit=asked.unit,
        value=made.value,
        why=made.why,
        truth=shown,
        right=None if shown is None else is_right(asked, made.value, shown),
        measured=state.figures.get(asked.measured) if state.passed_at else None,
        explained=asked.why if state.passed_at else "",
    )
