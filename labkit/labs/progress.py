"""What a student has done so far: one readable file for each project, beside the project's own state.

It is not in the state's folder, so that `labctl down --delete-data` leaves it alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from labkit.errors import ProjectError
from labkit.project import Project

FORMAT = 1
FILE = "labs.json"

SolvedBy = Literal["", "student", "solve"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What somebody expected, and why; at: seconds since the epoch."""

    value: float | str
    why: str
    at: float


@dataclass(frozen=True, slots=True)
class Checked:
    """A check's outcome: True passed, False failed, None unknown; line: what it is about."""

    name: str
    line: str
    outcome: bool | None
    said: str
    next_step: str
    at: float


@dataclass(frozen=True, slots=True)
class Print:
    """A run that was evidence: its directory's name and the SHA-256 of run.json and jobs.csv."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the transfer question: value, what was right, and how many answers it took."""

    value: float
    expected: float
    right: bool
    tries: int


@dataclass(frozen=True, slots=True)
class LabProgress:
    """How far one lab is; times are seconds since the epoch, None if it has not happened.

    prepared_at: the stack was in the lab's state. step: steps that were shown. hints: hints that were shown.
    figures: what was measured when it passed. replay: read from a recorded run, without a stack.
    starts: how often it was begun.
    """

    started_at: float
    prepared_at: float | None = None
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    step: int = 0
    hints: int = 0
    checks: tuple[Checked, ...] = ()
    solved_by: SolvedBy = ""
    runs: tuple[Print, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    transfer: Answer | None = None
    passed_at: float | None = None
    code: str = ""
    replay: bool = False
    starts: int = 1

    @property
    def predicted_at(self) -> float | None:
        """When the last prediction was made."""
        return max((entry.at for entry in self.predictions.values()), default=None)

    @property
    def minutes(self) -> float | None:
        """How long it took, or None while it is not passed."""
        return None if self.passed_at is None else (self.passed_at - self.started_at) / 60


@dataclass(frozen=True, slots=True)
class Progress:
    """All labs of one student on one project; current: the lab that a command without a name means."""

    student: str = ""
    current: str = ""
    labs: Mapping[str, LabProgress] = field(default_factory=dict)

    def of(self, name: str) -> LabProgress | None:
        """Return how far the lab is; None if it was not started."""
        return self.labs.get(name)

    def having(self, name: str, lab: LabProgress) -> Progress:
        """Return it with this lab, which is the current one from now on."""
        return replace(self, current=name, labs={**self.labs, name: lab})

    def without(self, name: str) -> Progress:
        """Return it as if the lab had never been started."""
        return replace(self, labs={key: lab for key, lab in self.labs.items() if key != name})


def folder(project: Project) -> Path:
    """Return where a project's labs are kept: the file, and what students write."""
    return project.root.resolve() / ".lab" / f"{project.name}.labs"


def path(project: Project) -> Path:
    """Return the file of a project."""
    return folder(project) / FILE


def load(path: Path) -> Progress:
    """Read the file; one that is not there is the beginning. Raises ProjectError for a damaged one."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Progress()
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    try:
        known = content.pop("format") == FORMAT
        found = TypeAdapter(Progress).validate_python(content)
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
        raise _damaged(path, error) from error
    if not known:
        raise _damaged(path, ValueError("it is of another version"))
    return found


def save(path: Path, progress: Progress) -> None:
    """Write the file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    text = json.dumps({"format": FORMAT, **asdict(progress)}, indent=2, ensure_ascii=False)
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(path)


def _damaged(path: Path, error: Exception) -> ProjectError:
    first = str(error).splitlines()[0]
    return ProjectError(
        f"The progress of your labs cannot be read from {path}: {first}.",
        "Mend the file, or move it away and begin anew: labctl lab start",
    )
