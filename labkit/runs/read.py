"""Reading a run directory, finished or not: standard library types, and nothing is ever missing but empty."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from labkit.analysis.ledger import balance
from labkit.analysis.summary import summarize
from labkit.control.marks import Mark, read_marks
from labkit.load.records import Record, Story
from labkit.load.workloads import Planned
from labkit.runs import about, files
from labkit.runs.find import directories, find_run

Row = Mapping[str, Any]
"""A line of a table: column → value, None where the cell is empty."""

_WHOLE = {"sequence", "status_code", "attempts", "completions", "redelivered", "retried", "resent"}
_NUMBERS = {"intended", "sent", "answered", *files.STAGES, "ended"}
_SAMPLE_WHOLE = {"ready", "unacked", "consumers", "done", "failed", "restarts"}
_SAMPLE_NUMBERS = {"at", "in_per_s", "out_per_s", "oldest_s", "cpu_percent", "memory_mb"}


@dataclass(frozen=True)
class RunFiles:
    """A run directory. Each file is read when it is first asked for; a missing or damaged one is empty."""

    path: Path

    @property
    def directory(self) -> str:
        """The directory's name, which is unique."""
        return self.path.name

    @property
    def name(self) -> str:
        """What was run: "demo", "rate"; the same for repeats."""
        return str(self.about.get("name") or self.path.name)

    @property
    def state(self) -> str:
        """Whether it is running, finished or interrupted; without its writer a running one is interrupted."""
        said = self.about.get("state")
        if said == "finished":
            return "finished"
        return "running" if said == "running" and about.alive(self.about.get("writer")) else "interrupted"

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was chosen: workload, arrivals, workers and so on."""
        return _mapping(self.about.get("settings"))

    @cached_property
    def about(self) -> Mapping[str, Any]:
        """What run.json says."""
        return _json(self.path / files.ABOUT)

    @cached_property
    def jobs(self) -> list[Row]:
        """One row a job, columns as in `COLUMNS`; times in seconds since the epoch."""
        return list(_rows(self.path / files.JOBS, files.COLUMNS, _WHOLE, _NUMBERS))

    @cached_property
    def samples(self) -> list[Row]:
        """One row a second and thing, columns as in `SAMPLE_COLUMNS`."""
        rows = _rows(self.path / files.SAMPLES, files.SAMPLE_COLUMNS, _SAMPLE_WHOLE, _SAMPLE_NUMBERS)
        return [row for row in rows if row["at"] is not None]

    @cached_property
    def marks(self) -> list[Mark]:
        """What was done meanwhile, in order of time."""
        return list(dict.fromkeys(read_marks(self.path / files.MARKS)))

    @cached_property
    def ledger(self) -> Mapping[str, Any]:
        """The ledger with its verdict; that of a run which left none is drawn up from its jobs."""
        found = _json(self.path / files.LEDGER)
        if found or not self.jobs:
            return found
        drawn = balance(self.records, cut=self.state != "finished")
        return {**asdict(drawn), "verdict": drawn.verdict}

    @cached_property
    def summary(self) -> Mapping[str, Any]:
        """The figures; those of a run which left none are worked out from its jobs."""
        found = _json(self.path / files.SUMMARY)
        return found if found or not self.jobs else asdict(summarize(self.records))

    @cached_property
    def records(self) -> list[Record]:
        """The jobs as the records that they were written from, as far as the table keeps them."""
        return list(map(_record, self.jobs))


def open_run(name: str | Path | None = None, root: Path = files.RUNS) -> RunFiles:
    """Return a run by its name, path, number in the list (1 is the newest) or unique prefix.

    None means the latest. Raises NoRun.
    """
    return RunFiles(find_run(None if name is None else str(name), root))


def all_runs(root: Path = files.RUNS) -> list[RunFiles]:
    """Return all runs below `root`, newest first."""
    return list(map(RunFiles, directories(root)))


def _record(row: Row) -> Record:
    planned = Planned(
        sequence=row["sequence"] or 0, image=row["image"] or "", operations=row["operations"] or ""
    )
    story = Story(
        started=set(range(row["attempts"] or 0)),
        redelivered=row["redelivered"] or 0,
        retried=row["retried"] or 0,
        completed=dict.fromkeys(range(row["completions"] or 0), row["ended"] or 0.0),
    )
    return Record(
        planned,
        intended_at=row["intended"] or 0.0,
        resent=row["resent"] or 0,
        sent_at=row["sent"],
        answered_at=row["answered"],
        status_code=row["status_code"],
        job_id=row["job_id"] or "",
        story=story,
        ended_at=row["ended"],
        outcome=row["outcome"] or "",
        reason=row["reason"] or "",
        error=row["error"] or "",
        clock={stage: row[stage] for stage in files.STAGES if row[stage] is not None},
        worker=row["worker"] or "",
        queue=row["queue"] or "",
        verified=row["verified"],
    )


def _rows(path: Path, columns: Iterable[str], whole: set[str], numbers: set[str]) -> Iterator[dict[str, Any]]:
    readers: dict[str, Callable[[str], Any]] = dict.fromkeys(columns, str)
    readers |= (
        dict.fromkeys(whole, _whole) | dict.fromkeys(numbers, _number) | {"verified": _flag, "dropped": _flag}
    )
    readers = {column: readers[column] for column in columns}
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            for line in csv.DictReader(file):
                yield {column: _cell(line.get(column), read) for column, read in readers.items()}
    except (OSError, csv.Error):  # the rest of a damaged file is left out
        return


def _cell(text: str | None, read: Callable[[str], Any]) -> Any:  # noqa: ANN401  (whatever the column holds)
    if not text:
        return None
    try:
        return read(text)
    except ValueError:
        return None


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _whole(text: str) -> int | None:
    value = _number(text)
    return None if value is None else int(value)


def _flag(text: str) -> bool | None:
    return {"True": True, "False": False}.get(text)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}
