"""Writing a run directory."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from labkit.analysis.ledger import Ledger, balance
from labkit.analysis.summary import Summary, summarize
from labkit.control.marks import Mark, marks_since
from labkit.load.records import Record
from labkit.project import Project
from labkit.runs import about, files

State = Literal["running", "finished", "interrupted"]

PROGRESS_S = 3.0
_PROGRESS_SHARE = 20
"""Writing progress may take one part in so many of the time."""


@dataclass(slots=True)
class Run:
    """A run directory being written; `run.json` says "running" until `finish`.

    project: the stack whose marks belong to the run. One writer at a time, from whatever thread.
    """

    path: Path
    project: Project | None = None
    begun: float = field(default_factory=time.time)
    _taken: set[Mark] = field(default_factory=set)
    _next_progress: float = 0.0

    @classmethod
    def begin(
        cls,
        name: str,
        settings: Mapping[str, object],
        root: Path = files.RUNS,
        *,
        project: Project | None = None,
        broker_version: str = "",
    ) -> Run:
        """Make the directory and point `latest` to it. What `settings` holds must be JSON."""
        begun = datetime.now(UTC)
        path = _make(root / f"{begun:%Y%m%dT%H%M%SZ}-{_slug(name)}")
        run = cls(path, project, begun.timestamp())
        run.write(
            files.ABOUT,
            {
                "format": files.FORMAT,
                "name": name,
                "project": "" if project is None else project.name,
                "state": "running",
                "begun": begun.isoformat(),
                "ended": None,
                "settings": dict(settings),
                "versions": about.versions(broker_version),
                "revision": about.revision(),
                "machine": about.machine(),
                "writer": about.writer(),
            },
        )
        _point(root / files.LATEST, path)
        return run

    def progress(self, records: Iterable[Record]) -> None:
        """Write the jobs as they stand, every few seconds at most: a run that is killed keeps these.

        Takes about 20 µs a job; call it where that delays nothing.
        """
        began = time.monotonic()
        if began < self._next_progress:
            return
        self._write_jobs(records)
        ended = time.monotonic()
        self._next_progress = ended + max(PROGRESS_S, _PROGRESS_SHARE * (ended - began))

    def mark(self, mark: Mark) -> None:
        """Add a mark of the run's own."""
        if mark not in self._taken:
            self._taken.add(mark)
            with (self.path / files.MARKS).open("a", encoding="utf-8") as file:
                file.write(mark.encode())

    def gather_marks(self) -> None:
        """Add what was done to the stack since the run began."""
        if self.project is not None:
            for mark in marks_since(self.project, self.begun):
                self.mark(mark)

    def note(self, text: str) -> None:
        """Add a sentence, as a mark of this moment."""
        self.mark(Mark(time.time(), "note", text))

    @contextlib.contextmanager
    def kept(self, records: Callable[[], Sequence[Record]]) -> Iterator[None]:
        """Write the run as interrupted when the block does not come to its end, whatever the reason."""
        try:
            yield
        except BaseException:
            self.finish(records(), state="interrupted")
            raise

    def finish(
        self,
        records: Sequence[Record],
        ledger: Ledger | None = None,
        summary: Summary | None = None,
        state: State = "finished",
    ) -> None:
        """Write what happened; `state` is "interrupted" for a run that did not come to its end."""
        ledger = ledger or balance(records, cut=state != "finished")
        summary = summary or summarize(records)
        self._write_jobs(records)
        self.gather_marks()
        self.write(files.LEDGER, {**asdict(ledger), "verdict": ledger.verdict})
        self.write(files.SUMMARY, asdict(summary))
        found = json.loads((self.path / files.ABOUT).read_text(encoding="utf-8"))
        self.write(files.ABOUT, {**found, "state": state, "ended": datetime.now(UTC).isoformat()})

    def write(self, name: str, content: Mapping[str, object]) -> None:
        """Write a JSON file, whole or not at all."""
        self._replace(name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def _replace(self, name: str, text: str) -> None:
        draft = self.path / f"{name}.part"
        draft.write_text(text, encoding="utf-8", newline="")
        draft.replace(self.path / name)

    def _write_jobs(self, records: Iterable[Record]) -> None:
        draft = self.path / f"{files.JOBS}.part"
        with draft.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(files.COLUMNS)
            writer.writerows(map(_line, records))
        draft.replace(self.path / files.JOBS)


def _line(record: Record) -> list[object]:
    planned, story, clock = record.planned, record.story, record.clock
    return [
        planned.sequence,
        record.job_id,
        planned.kind,
        planned.image,
        planned.operations,
        record.intended_at,
        record.sent_at,
        record.answered_at,
        *(clock.get(stage) for stage in files.STAGES),
        record.ended_at,
        record.status_code,
        len(story.started),
        len(story.completed),
        story.redelivered,
        story.retried,
        record.resent,
        record.dropped,
        record.worker,
        record.queue,
        record.outcome,
        record.reason,
        record.verified,
        record.error,
    ]


def _slug(name: str) -> str:
    """Return the name as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "run"


def _make(path: Path) -> Path:
    """Make the directory, or the next one that is not taken: two runs may begin within one second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = (path.name, *(f"{path.name}-{number}" for number in range(2, 1000)))
    for candidate in map(path.with_name, names):
        with contextlib.suppress(FileExistsError):
            candidate.mkdir()
            return candidate
    raise FileExistsError(f"there are too many runs of this second: {path}")


def _point(link: Path, target: Path) -> None:
    draft = link.with_name(f"{target.name}.part")  # its own, for two runs may begin at once
    try:
        draft.symlink_to(target.name)
        draft.replace(link)
    except OSError:
        # Windows wants a right for links; a file with the name serves there.
        link.write_text(target.name, encoding="utf-8")
