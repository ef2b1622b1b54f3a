"""Checks: functions in a lab's check.py that look at evidence and say true, false or unknown.

A check is marked with `@check`, takes `Evidence`, and returns Passed, Failed or Unknown; its docstring is the
line that the student reads. What it needs and cannot find ends it as unknown.

A check.py may also define `figures(evidence) -> dict[str, float]`: the student's own numbers, for what stands
beside the predictions and in the transfer question.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from labkit.errors import BadValue, LabError
from labkit.labs.progress import Checked
from services.common.errors import QueueLabError

if TYPE_CHECKING:
    from labkit.labs.evidence import Evidence

__all__ = ["Check", "Checks", "Failed", "NotKnown", "NotSo", "Outcome", "Passed", "Unknown", "check", "load"]


@dataclass(frozen=True, slots=True)
class Passed:
    """It is so. said: what was seen."""

    said: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It is not so: why, and what to do."""

    reason: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Too little is known to say: why, and what to do. Never a pass."""

    reason: str
    next_step: str


Outcome = Passed | Failed | Unknown
Function = Callable[["Evidence"], Outcome]
Figures = Callable[["Evidence"], Mapping[str, float]]


class NotKnown(Exception):
    """Ends a check as unknown."""

    def __init__(self, reason: str, next_step: str) -> None:
        super().__init__(reason)
        self.outcome: Outcome = Unknown(reason, next_step)


class NotSo(Exception):
    """Ends a check as failed."""

    def __init__(self, reason: str, next_step: str) -> None:
        super().__init__(reason)
        self.outcome: Outcome = Failed(reason, next_step)


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its name, the line that the student reads, and its function."""

    name: str
    line: str
    function: Function

    def run(self, evidence: Evidence) -> Checked:
        """Look, and say; what cannot be asked is unknown."""
        try:
            outcome = self.function(evidence)
        except (NotKnown, NotSo) as end:
            outcome = end.outcome
        except LabError as error:
            outcome = Unknown(error.message, error.next_step)
        except QueueLabError as error:
            outcome = Unknown(f"The stack did not answer: {error}", "See: labctl status")
        return checked(self, outcome)


@dataclass(frozen=True, slots=True)
class Checks:
    """What a check.py holds, in its order."""

    checks: tuple[Check, ...]
    figures: Figures

    def run(self, evidence: Evidence) -> Iterator[Checked]:
        """Give each outcome as soon as it is there."""
        return (entry.run(evidence) for entry in self.checks)

    def numbers(self, evidence: Evidence) -> Mapping[str, float]:
        """Return the student's own figures; none while they are not known."""
        try:
            return self.figures(evidence)
        except (NotKnown, NotSo, LabError, QueueLabError):
            return {}


def check(function: Function) -> Function:
    """Mark a function as a check; its docstring is the line that the student reads."""
    function.__dict__["check"] = True
    return function


def checked(of: Check, outcome: Outcome) -> Checked:
    """Return the outcome as it is kept."""
    match outcome:
        case Passed(said):
            return Checked(of.name, of.line, True, said, "", time.time())  # noqa: FBT003  (a verdict)
        case Failed(reason, step):
            return Checked(of.name, of.line, False, reason, step, time.time())  # noqa: FBT003  (a verdict)
        case Unknown(reason, step):
            return Checked(of.name, of.line, None, reason, step, time.time())


def load(path: Path) -> Checks:
    """Load a check.py. Raises BadValue when it holds no check, or one without a line for the student."""
    module = _module(path)
    functions = [entry for entry in vars(module).values() if _is_check(entry)]
    if not functions:
        raise BadValue(f"{path.parent.name}/{path.name} holds no check.", "Mend the file.")
    return Checks(tuple(map(_check, functions)), getattr(module, "figures", lambda _: {}))


def _check(function: Function) -> Check:
    name = getattr(function, "__name__", "check")
    lines = inspect.cleandoc(function.__doc__ or "").splitlines()
    if not lines:
        raise BadValue(f"The check {name} has no docstring.", "Its docstring is what the student reads.")
    return Check(name, lines[0].rstrip("."), function)


def _is_check(entry: Any) -> bool:  # noqa: ANN401  (whatever stands in a module)
    return inspect.isfunction(entry) and entry.__dict__.get("check") is True


def _module(path: Path) -> ModuleType:
    """Load the file by its path, under a name of its own: every lab has a check.py."""
    name = "labs_" + path.parent.name.replace("-", "_") + "_check"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadValue(f"{path} cannot be loaded.", "Get the folder again: git restore labs")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
