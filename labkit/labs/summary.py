"""The table after a class, from the pages that were handed in: time, what most got wrong, what to look at."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.analysis.statistics import percentile
from labkit.errors import BadValue
from labkit.labs.amounts import amount
from labkit.labs.handin import Done, HandIn, Said, read

MOST_MISSED = 8

Cell = tuple[float | None, str]
"""Minutes, None while not passed; and a word or letter: how far, or how it was passed."""


@dataclass(frozen=True, slots=True)
class Student:
    """One student: labs by name, how many passed, how many predictions were right of those judged."""

    name: str
    cells: dict[str, Cell]
    passed: int
    right: int
    predicted: int
    hints: int


@dataclass(frozen=True, slots=True)
class LabLine:
    """One lab over the whole class; minutes of those who passed it by themselves."""

    name: str
    number: str
    title: str
    handed_in: int
    passed: int
    median: float | None
    slowest: float | None
    budget: float | None


@dataclass(frozen=True, slots=True)
class Miss:
    """Something that many got wrong: a prediction, a check, the last question. often: what most said."""

    lab: str
    what: str
    wrong: int
    of: int
    often: str
    truth: str


@dataclass(frozen=True, slots=True)
class Summary:
    """All of it. notes: pages that could not be read, and what else deserves a look."""

    pages: int
    students: tuple[Student, ...]
    labs: tuple[LabLine, ...]
    missed: tuple[Miss, ...]
    notes: tuple[str, ...]


def collect(folder: Path) -> tuple[list[HandIn], list[str]]:
    """Read all pages below a folder; return them, and a sentence for each that cannot be read.

    Raises BadValue when there is none.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".html", ".htm"))
    if not paths:
        raise BadValue(
            f"{folder} holds no page that was handed in.", "Put the files of labctl lab report into it."
        )
    found, notes = [], []
    for path in paths:
        try:
            found.append(read(path))
        except BadValue as error:
            notes.append(error.message)
    return found, notes


def summarize(pages: Sequence[HandIn], notes: Iterable[str] = ()) -> Summary:
    """Return the table; of several pages of one student the newest counts."""
    newest: dict[str, HandIn] = {}
    for page in sorted(pages, key=lambda page: page.made_at):
        newest[page.student.casefold()] = page
    current = sorted(newest.values(), key=lambda page: page.student.casefold())
    return Summary(
        pages=len(pages),
        students=tuple(map(_student, current)),
        labs=tuple(_lab(name, found) for name, found in _by_lab(current)),
        missed=tuple(_missed(current)),
        notes=(*notes, *_twice(pages, current), *_shared(current)),
    )


def _student(page: HandIn) -> Student:
    judged = [said.right for done in page.labs for said in done.predictions if said.right is not None]
    return Student(
        page.student or "?",
        {done.name: _cell(done) for done in page.labs},
        passed=sum(done.passed_at is not None for done in page.labs),
        right=sum(judged),
        predicted=len(judged),
        hints=sum(done.hints for done in page.labs),
    )


def _cell(done: Done) -> Cell:
    if done.minutes is None:
        passed = sum(check.outcome is True for check in done.checks)
        return None, f"{passed}/{len(done.checks)}" if done.checks else "begun"
    return done.minutes, "s" if done.solved_by == "solve" else "r" if done.replay else ""


def _by_lab(pages: Sequence[HandIn]) -> list[tuple[str, list[Done]]]:
    found: dict[str, list[Done]] = defaultdict(list)
    for page in pages:
        for done in page.labs:
            found[done.name].append(done)
    return sorted(found.items())


def _lab(name: str, found: Sequence[Done]) -> LabLine:
    minutes = [done.minutes for done in found if done.minutes is not None and done.solved_by != "solve"]
    return LabLine(
        name,
        name[:2],
        found[0].title,
        handed_in=len(found),
        passed=sum(done.passed_at is not None for done in found),
        median=percentile(minutes, 0.5) if minutes else None,
        slowest=max(minutes, default=None),
        budget=float(found[0].budget_min),
    )


def _missed(pages: Sequence[HandIn]) -> list[Miss]:
    """Return what most got wrong; of equally many, what fewer were asked comes first."""
    found = []
    for name, labs in _by_lab(pages):
        found += _predictions(name[:2], labs)
        found += _checks(name[:2], labs)
        answers = [done.transfer for done in labs if done.transfer]
        wrong = sum(answer.tries > 1 or not answer.right for answer in answers)
        found.append(Miss(name[:2], "the last question, at the first try", wrong, len(answers), "", ""))
    worst = sorted((miss for miss in found if miss.wrong), key=lambda miss: (-miss.wrong, miss.of, miss.lab))
    return worst[:MOST_MISSED]


def _predictions(lab: str, labs: Sequence[Done]) -> list[Miss]:
    by_question: dict[str, list[Said]] = defaultdict(list)
    for done in labs:
        for said in done.predictions:
            if said.right is not None:
                by_question[said.id].append(said)
    return [_miss(lab, found) for found in by_question.values()]


def _miss(lab: str, found: Sequence[Said]) -> Miss:
    wrong = [said for said in found if said.right is False]
    often = Counter(amount(said.value, said.unit) for said in wrong).most_common(1)
    # Where the answer depends on the machine, each page has its own.
    truths = {amount(said.truth, said.unit) for said in found}
    truth = truths.pop() if len(truths) == 1 else "differs by machine"
    return Miss(lab, found[0].question, len(wrong), len(found), often[0][0] if often else "", truth)


def _checks(lab: str, labs: Sequence[Done]) -> list[Miss]:
    outcomes: dict[str, list[bool | None]] = defaultdict(list)
    for done in labs:
        for check in done.checks:
            outcomes[check.line].append(check.outcome)
    return [
        Miss(lab, line, sum(outcome is not True for outcome in found), len(found), "", "")
        for line, found in outcomes.items()
    ]


def _twice(pages: Sequence[HandIn], current: Sequence[HandIn]) -> list[str]:
    counts = Counter(page.student.casefold() for page in pages)
    return [
        f"{page.student or '?'} handed in {counts[page.student.casefold()]} pages; the newest counts."
        for page in current
        if counts[page.student.casefold()] > 1
    ]


def _shared(pages: Sequence[HandIn]) -> list[str]:
    """Name runs that are in the pages of several students: perhaps they sat at one computer."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for page in pages:
        for done in page.labs:
            for run in () if done.replay else done.runs:
                owners[run.sha256, done.number].append(page.student or "?")
    groups = Counter((lab, tuple(names)) for (_, lab), names in owners.items() if len(names) > 1)
    return [f"Lab {lab}: {_listed(names)} have the same run." for lab, names in sorted(groups)]


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
