"""What a lab is: its files, checked when they are read.

A lab is a folder `labs/NN-name` with a README, a `lab.toml`, a `check.py`, and for a lab in which code is
written also `exercise.py` and `solution.py`. Nothing else in labkit knows a lab by its name.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from labkit.errors import BadValue, UnknownName
from labkit.experiments import declaration
from labkit.experiments.declaration import Chaos, Formula
from labkit.project import REPOSITORY

LABS = REPOSITORY / "labs"
TOML, README, CHECK, EXERCISE, SOLUTION = "lab.toml", "README.md", "check.py", "exercise.py", "solution.py"

_FOLDER = re.compile(r"\d\d-[a-z0-9-]+")


class Table(BaseModel):
    """One table of the file; a name that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Stack(declaration.Stack):
    """The stack in which a lab begins; what is not said is the default. faults: those in force."""

    faults: Chaos = Chaos()


class Predict(Table):
    """A question that is asked before anything is measured.

    answer: a number, a formula (names: those of `[numbers]`, and the machine's `cores`, `parallel`), or one
    of the choices. tolerance: how far beside the answer a number is still right. measured: the figure of
    check.py that is shown beside the prediction. why: shown when it has been measured.
    """

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    question: str
    kind: Literal["number", "choice"] = "number"
    choices: tuple[str, ...] = ()
    unit: str = ""
    answer: Formula
    tolerance: float = Field(default=0.0, ge=0)
    measured: str = ""
    why: str

    @model_validator(mode="after")
    def _choices(self) -> Predict:
        if self.kind == "choice" and (len(self.choices) < 2 or self.answer not in self.choices):  # noqa: PLR2004  (a choice has two at least)
            raise ValueError("a choice has two choices or more, and the answer is one of them")
        if self.kind == "number" and self.choices:
            raise ValueError("a number has no choices")
        return self


class Step(Table):
    """One thing to do: a command of labctl, and what to look at. terminal: in which one it is typed."""

    title: str
    command: str = ""
    text: str = ""
    look: str = ""
    terminal: int = Field(default=1, ge=1)


class Transfer(Table):
    """The last question, on the student's own figures: `{name}` in it is a figure of check.py.

    answer: a formula of those figures and of `[numbers]`. tolerance: "10%" of it, or a number. hint: said on
    a wrong answer. why: said last.
    """

    question: str
    answer: Formula
    tolerance: Annotated[str, Field(pattern=r"^\d+(\.\d+)?%$")] | float
    unit: str = ""
    hint: str
    why: str


class Picture(Table):
    """Files that the start of the lab draws: the first `file`, or `count` of them, with `{}` for a number.

    kind: as test_images/generate_sample.py calls it.
    """

    file: str = Field(pattern=r"^[a-z0-9{}.-]+$")
    kind: Literal["photo", "text", "grid", "noise", "truncated"] = "photo"
    width: int = 640
    height: int = 480
    count: int = Field(default=1, ge=1, le=100)


class Move(Table):
    """One command of a script.

    background: the script goes on while it runs. after_s: wait so long before it. when_unacked: wait until so
    many messages are in the workers' hands.
    """

    command: str
    background: bool = False
    after_s: float = Field(default=0.0, ge=0)
    when_unacked: int = 0


class Spoiled(Table):
    """A solution that must not pass: a script, or a change of solution.py (from, to)."""

    why: str
    walk: tuple[Move, ...] = ()
    change: tuple[str, str] | None = None

    @model_validator(mode="after")
    def _something(self) -> Spoiled:
        if bool(self.walk) == bool(self.change):
            raise ValueError("say one of walk and change")
        return self


class LabFile(Table):
    """What lab.toml says. minutes: the budget in the class. core: part of the class of 90 minutes.

    numbers: names for formulas. replay: where a recorded run is, or several, for those without a stack;
    reading: their steps, in which `{run}` stands for that folder.
    """

    format: Literal[1]
    title: str
    question: str
    about: str
    minutes: int = Field(ge=1)
    core: bool = False
    concepts: tuple[str, ...] = Field(min_length=1)
    requires: tuple[str, ...] = ()
    stack: Stack = Stack()
    numbers: dict[str, float] = {}
    picture: tuple[Picture, ...] = ()
    replay: str = ""
    reading: tuple[Step, ...] = ()
    predict: tuple[Predict, ...] = Field(min_length=1)
    step: tuple[Step, ...] = Field(min_length=1)
    transfer: Transfer
    hints: tuple[str, ...] = Field(min_length=1)
    walk: tuple[Move, ...] = ()
    spoiled: Spoiled

    @model_validator(mode="after")
    def _distinct(self) -> LabFile:
        names = [entry.id for entry in self.predict]
        if len(set(names)) < len(names):
            raise ValueError("two predictions have the same id")
        if not all(hint.strip() for hint in self.hints):
            raise ValueError("a hint is empty")
        if bool(self.replay) != bool(self.reading):
            raise ValueError("a recorded run needs steps of reading, and they need one")
        return self


class Lab:
    """A lab: its folder and what its file says."""

    def __init__(self, folder: Path, file: LabFile) -> None:
        self.folder = folder
        self.file = file

    @property
    def name(self) -> str:
        """The folder's name: 03-worker-failure."""
        return self.folder.name

    @property
    def number(self) -> str:
        """Its two digits."""
        return self.name[:2]

    @property
    def has_code(self) -> bool:
        """Whether the student writes a program."""
        return (self.folder / EXERCISE).is_file()

    @property
    def recorded(self) -> Path:
        """The folder of the recorded run or runs."""
        return self.folder.parents[1] / self.file.replay

    def steps(self, *, replay: bool) -> tuple[Step, ...]:
        """Return what is to be done; replay: without a stack."""
        return self.file.reading if replay else self.file.step

    def prediction(self, wanted: str) -> Predict:
        """Return the question with this id. Raises UnknownName."""
        for entry in self.file.predict:
            if entry.id == wanted:
                return entry
        raise UnknownName.of("prediction", wanted, [entry.id for entry in self.file.predict])


def read(folder: Path) -> Lab:
    """Read a lab. Raises BadValue that names the file and the field."""
    path = folder / TOML
    name = f"{folder.name}/{TOML}"
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return Lab(folder, LabFile.model_validate(content))
    except OSError as error:
        raise BadValue(
            f"{name} cannot be read: {error}.", "Get the folder again: git restore labs"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise BadValue(f"{name} is no TOML: {error}.", "Mend the file.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise BadValue(f"{name}: {where}: {first['msg']}.", "Mend the file.") from error


def names(root: Path = LABS) -> list[str]:
    """Return the names of all labs, in order."""
    return sorted(path.name for path in root.glob("*") if path.is_dir() and _FOLDER.fullmatch(path.name))


def everything(root: Path = LABS) -> list[Lab]:
    """Return all labs, in order. Raises BadValue."""
    return [read(root / name) for name in names(root)]


def find(typed: str, root: Path = LABS) -> Lab:
    """Return the lab that is meant by a name, a number or a unique part of the name. Raises UnknownName."""
    known = names(root)
    number = f"{int(typed):02}-" if typed.isdecimal() and len(typed) < 3 else None  # noqa: PLR2004  (two digits)
    found = [name for name in known if name == typed]
    found = found or [name for name in known if number and name.startswith(number)]
    found = found or [name for name in known if typed and typed in name]
    if len(found) != 1:
        raise UnknownName.of("lab", typed, known)
    return read(root / found[0])
