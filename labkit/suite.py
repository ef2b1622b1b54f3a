"""The kit's own checks, one after the other: what each part costs, and whether it passes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from labkit.project import REPOSITORY

TIERS_S = {"unit": 240, "docs": 60, "contract": 90, "integration": 360, "acceptance": 780}
"""The folders of tests/, each with its budget in seconds; all parts together must end in 30 minutes."""


@dataclass(frozen=True)
class Part:
    """One check: arguments after the interpreter, and the seconds it should not exceed on a small machine."""

    name: str
    command: tuple[str, ...]
    budget_s: float


@dataclass(frozen=True)
class Outcome:
    """How a part went; it has passed when its exit status is 0."""

    part: Part
    status: int
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the part found nothing wrong."""
        return self.status == 0

    @property
    def slow(self) -> bool:
        """Whether it took longer than its budget; that alone is no failure."""
        return self.seconds > self.part.budget_s


def parts(pytest_arguments: Sequence[str] = ()) -> tuple[Part, ...]:
    """Return all parts, the quick ones first; `pytest_arguments` go to pytest, instead of a part a tier."""
    one = Part("tests", ("-m", "pytest", *pytest_arguments), sum(TIERS_S.values()))
    each = (Part(tier, ("-m", "pytest", f"tests/{tier}"), budget_s) for tier, budget_s in TIERS_S.items())
    return (
        Part("ruff check", ("-m", "ruff", "check", "."), 10),
        Part("ruff format", ("-m", "ruff", "format", "--check", "."), 10),
        Part("mypy", ("-m", "mypy"), 90),
        *([one] if pytest_arguments else each),
    )


def run(
    wanted: Sequence[Part], begin: Callable[[Part], None], execute: Callable[[Part], int] | None = None
) -> Iterator[Outcome]:
    """Run the parts, telling `begin` before each; a part that fails does not stop the others."""
    for part in wanted:
        begin(part)
        started = time.monotonic()
        status = (execute or _execute)(part)
        yield Outcome(part, status, time.monotonic() - started)


def _execute(part: Part) -> int:
    command = [sys.executable, *part.command]
    return subprocess.run(command, cwd=REPOSITORY, check=False).returncode  # noqa: S603  (our own tools)
