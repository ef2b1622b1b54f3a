"""Marks: what somebody did to a stack, and when, for whoever measures or watches it.

Each command that changes a running stack appends one line to `.lab/<project>/marks.jsonl`, so that a run or a
monitor in another terminal shows it. At 1 MB the file moves to `marks.1.jsonl`.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from labkit.project import Project

Kind = Literal["scale", "kill", "back", "pause", "resume", "restart", "chaos", "burst", "up", "note"]

FILE, OLDER = "marks.jsonl", "marks.1.jsonl"
LARGEST_BYTES = 1_000_000

# Some marks are written at the end of what they tell of; so far apart may order and time be.
_LATE_S = 180.0


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """What was done; `at`: its beginning, seconds since the epoch; `target`: service or instance."""

    at: float
    kind: str
    text: str
    target: str = ""

    def encode(self) -> str:
        """Return one line of JSON, with its line break."""
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"

    @classmethod
    def decode(cls, line: str) -> Mark | None:
        """Read a line; None for one that is no mark, such as the half line that a crash leaves behind."""
        try:
            fields: dict[str, Any] = json.loads(line)
            return cls(
                float(fields["at"]),
                str(fields["kind"]),
                str(fields["text"]),
                str(fields.get("target", "")),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def mark(project: Project, kind: Kind, text: str, target: str = "", at: float | None = None) -> Mark:
    """Write down that something was done to the stack of `project`, at `at` (default: now).

    A disk that refuses is no reason to fail what was done: the mark is then only returned.
    """
    made = Mark(time.time() if at is None else at, kind, text, target)
    path = project.state_dir / FILE
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        # One write to a file opened for appending: lines of several commands do not mix.
        with path.open("a", encoding="utf-8") as file:
            file.write(made.encode())
        if path.stat().st_size > LARGEST_BYTES:
            path.replace(path.with_name(OLDER))
    return made


def marks_since(project: Project, at: float) -> list[Mark]:
    """Return the marks of `project` from the moment `at` on (seconds since the epoch), in order of time."""
    found: list[Mark] = []
    for name in (FILE, OLDER):
        reached = False
        for made in _backwards(project.state_dir / name):
            if made.at >= at:
                found.append(made)
            reached = made.at < at - _LATE_S
            if reached:
                break
        if reached:
            break
    return sorted(found)


def read_marks(path: Path) -> list[Mark]:
    """Return the marks of a file in order of time; none when it is not there."""
    return sorted(_decoded(_lines(path)))


def _backwards(path: Path) -> Iterator[Mark]:
    return _decoded(reversed(_lines(path)))


def _decoded(lines: Iterable[str]) -> Iterator[Mark]:
    return (made for line in lines if (made := Mark.decode(line)) is not None)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []
