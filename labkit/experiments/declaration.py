"""What an experiment is: a question, the stack and load that answer it, and what is expected.

An experiment has parts, each with a sweep of its own. Tables that stand at the top of a file hold for all its
parts; a file without `[[parts]]` has one part.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from labkit.control.timeline import Action, What
from labkit.errors import BadValue, UnknownName
from labkit.experiments.formulas import used_names
from labkit.project import REPOSITORY
from services.common.topology import Layout

FOLDER = REPOSITORY / "experiments"

Formula = str | float
Number = str | int | float
Arrival = Literal["at-once", "bursts", "closed"]
Workload = Literal["text", "images", "mix"]
Picture = Literal["A.jpg", "B.png", "grid.jpg", "small.jpg"]

STANDARD: Mapping[str, str] = {"LAB_RETRY": "delayed", "LAB_ACK": "late"}
"""The settings that an experiment may change, and what they are otherwise."""

CALIBRATED = {"service_s", "fastest_s", "slowest_s", "total_s", "parallel", "cores"}


class Table(BaseModel):
    """One table of the file; a name that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Stack(Table):
    """The stack that a part needs; what is not said is the default, whatever was chosen before.

    settings: those of `STANDARD` that are other than there.
    """

    workers: int = 1
    layout: Layout = "single"
    pools: dict[str, int] = {}
    prefetch: int = 1
    concurrency: int = 1
    api: int = 1
    settings: dict[str, str] = {}

    @model_validator(mode="after")
    def _known(self) -> Stack:
        for name in self.settings:
            if name not in STANDARD:
                raise ValueError(f"there is no setting {name} to change; known are {', '.join(STANDARD)}")
        return self


class Chaos(Table):
    """Faults that are in force all the time."""

    delays_s: dict[str, float] = {}
    fail_rate: float = 0.0
    store_latency_s: float = 0.0


class Load(Table):
    """What is sent, and when.

    seconds: instead of `jobs`, so many that a single worker needs about this long (by calibration).
    work_s: how long a text job takes; several alternate. operations: of image jobs; several take turns.
    result: format, width and height of every result, to be verified. corrupt: how many images are cut short.
    senders: how many of a closed loop send at once.
    """

    workload: Workload = "text"
    jobs: int = 0
    seconds: float = 0.0
    work_s: tuple[float, ...] = (0.0,)
    picture: Picture = "grid.jpg"
    operations: tuple[str, ...] = ("resize",)
    result: tuple[str, int, int] | None = None
    corrupt: int = 0
    arrivals: Arrival = "at-once"
    senders: int = 1
    size: int = 0
    count: int = 0
    every_s: float = 0.0

    @model_validator(mode="after")
    def _sized(self) -> Load:
        bursts = self.size * self.count
        if sum(map(bool, (self.jobs, self.seconds, bursts))) != 1:
            raise ValueError("say one of jobs, seconds, or size and count of bursts")
        return self


class Sweep(Table):
    """Which value changes from point to point: a path such as `stack.workers`, and its values.

    label: how tables call it, instead of the last word of the path.
    """

    what: str
    values: tuple[Number, ...]
    label: str = ""

    @property
    def name(self) -> str:
        """How tables call it."""
        return self.label or self.what.rpartition(".")[2]


class Fault(Table):
    """Something that is done to the stack, `at_s` seconds after the first job was due.

    target, service, count, down_for_s, for_s: as `labkit.control.timeline.Action` takes them.
    """

    at_s: float
    what: What
    target: str | None = None
    service: str | None = None
    count: int | None = None
    down_for_s: float | None = None
    for_s: float | None = None

    def action(self) -> Action:
        """Return it as a measured run takes it."""
        return Action(self.at_s, self.what, self.model_dump(exclude={"at_s", "what"}, exclude_none=True))


class Expect(Table):
    """What a measure should be: equal to a formula, between two, at most or at least one.

    tolerance: "10%" of the formula, or a number in the measure's unit. at: only at these values of the sweep.
    """

    measure: str
    equals: Formula | None = None
    between: tuple[Formula, Formula] | None = None
    at_least: Formula | None = None
    at_most: Formula | None = None
    tolerance: Annotated[str, Field(pattern=r"^\d+(\.\d+)?%$")] | float = 0.0
    at: tuple[Number, ...] = ()

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """All formulas of this line."""
        single = (self.equals, self.at_least, self.at_most)
        return (*(formula for formula in single if formula is not None), *(self.between or ()))

    @property
    def calibrated(self) -> bool:
        """Whether it depends on what this machine can do."""
        return any(used_names(formula) & CALIBRATED for formula in self.formulas)

    @model_validator(mode="after")
    def _says_something(self) -> Expect:
        if len(self.formulas) != (2 if self.between else 1):
            raise ValueError("say one of equals, between, at_least, at_most")
        return self


class Part(Table):
    """One series of runs. observe: measures that are shown without an expectation."""

    name: str = ""
    repeats: int = Field(default=1, ge=1)
    stack: Stack = Stack()
    chaos: Chaos = Chaos()
    load: Load
    sweep: Sweep | None = None
    faults: tuple[Fault, ...] = ()
    expect: tuple[Expect, ...] = ()
    observe: tuple[str, ...] = ()

    @property
    def needs_calibration(self) -> bool:
        """Whether its size or an expectation depends on this machine."""
        return bool(self.load.seconds) or any(line.calibrated for line in self.expect)


class Experiment(Table):
    """A declared experiment. takes_s: how long it runs, all repeats, on a machine with two cores."""

    name: str
    title: str
    question: str
    why: str
    takes_s: int
    parts: tuple[Part, ...]
    look_at: tuple[str, ...]
    questions: tuple[str, ...]

    @property
    def needs_calibration(self) -> bool:
        """Whether any part does."""
        return any(part.needs_calibration for part in self.parts)


def read(path: Path) -> Experiment:
    """Read a declaration. Raises BadValue that names the file and the field."""
    try:
        return Experiment.model_validate(
            _with_parts(tomllib.loads(path.read_text(encoding="utf-8")), path.stem)
        )
    except tomllib.TOMLDecodeError as error:
        raise BadValue(f"{path.name} is no TOML: {error}.", "Mend the file.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadValue(f"{path.name}: {where}: {first['msg']}.", "Mend the file.") from error


def names(folder: Path = FOLDER) -> list[str]:
    """Return the names of all declared experiments."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def find(name: str, folder: Path = FOLDER) -> Experiment:
    """Return the experiment of this name. Raises UnknownName and BadValue."""
    if name not in names(folder):
        raise UnknownName.of("experiment", name, names(folder))
    return read(folder / f"{name}.toml")


def everything(folder: Path = FOLDER) -> list[Experiment]:
    """Return all declared experiments. Raises BadValue."""
    return [read(folder / f"{name}.toml") for name in names(folder)]


def _with_parts(content: dict[str, Any], name: str) -> dict[str, Any]:
    """Lay each part over the tables that hold for all of them."""
    shared = {key: content.pop(key) for key in Part.model_fields if key in content and key != "name"}
    parts = [_over(shared, part) for part in content.pop("parts", [{}])]
    return {**content, "name": name, "parts": parts}


def _over(shared: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Lay the part's values over the shared ones: tables value by value, lists one after the other."""
    merged = dict(shared)
    for key, value in part.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[key] = {**before, **value}
        elif isinstance(before, list) and isinstance(value, list):
            merged[key] = [*value, *before]
        else:
            merged[key] = value
    return merged
