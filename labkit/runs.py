"""Run directories: whatever was just done is on disk, in `experiments/runs/<UTC>-<name>/`, and `latest`."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from labkit.ledger import Ledger
from labkit.load.records import Record
from labkit.summary import Summary
from services.common.messages import Stage

RUNS = Path(__file__).resolve().parents[1] / "experiments" / "runs"
FORMAT = 1
STAGES: tuple[Stage, ...] = get_args(Stage)
COLUMNS = (
    "sequence",
    "job_id",
    "kind",
    "image",
    "operations",
    "intended",
    "sent",
    "answered",
    *STAGES,
    "ended",
    "status_code",
    "attempts",
    "redelivered",
    "worker",
    "outcome",
    "reason",
    "verified",
    "error",
)


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory being written; `run.json` says "running" until `finish`."""

    path: Path

    @classmethod
    def begin(cls, name: str, settings: Mapping[str, object], root: Path = RUNS) -> Run:
        """Make the directory and point `latest` to it."""
        begun = datetime.now(UTC)
        path = _make(root / f"{begun:%Y%m%dT%H%M%SZ}-{name}")
        run = cls(path)
        run.write(
            "run.json",
            {
                "format": FORMAT,
                "name": name,
                "state": "running",
                "begun": begun.isoformat(),
                "settings": dict(settings),
                "machine": machine(),
            },
        )
        _point(root / "latest", path)
        return run

    def finish(self, records: Sequence[Record], ledger: Ledger, summary: Summary) -> None:
        """Write what happened."""
        self._write_jobs(records)
        self.write("ledger.json", {**asdict(ledger), "verdict": ledger.verdict})
        self.write("summary.json", asdict(summary))
        about = json.loads((self.path / "run.json").read_text())
        self.write("run.json", {**about, "state": "finished", "ended": datetime.now(UTC).isoformat()})

    def write(self, name: str, content: Mapping[str, object]) -> None:
        """Write a JSON file, whole or not at all."""
        target = self.path / name
        draft = target.with_suffix(".part")
        draft.write_text(json.dumps(content, indent=2) + "\n")
        draft.replace(target)

    def _write_jobs(self, records: Sequence[Record]) -> None:
        with (self.path / "jobs.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(_line(record) for record in records)


def machine() -> dict[str, object]:
    """Return what a figure of this machine depends on."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _line(record: Record) -> dict[str, object]:
    return {
        "sequence": record.planned.sequence,
        "job_id": record.job_id,
        "kind": record.planned.kind,
        "image": record.planned.image,
        "operations": record.planned.operations,
        "intended": record.intended_at,
        "sent": record.sent_at,
        "answered": record.answered_at,
        **{stage: record.clock.get(stage) for stage in STAGES},
        "ended": record.ended_at,
        "status_code": record.status_code,
        "attempts": len(record.story.started),
        "redelivered": record.story.redelivered,
        "worker": record.worker,
        "outcome": record.outcome,
        "reason": record.reason,
        "verified": record.verified,
        "error": record.error,
    }


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
        link.write_text(target.name)
