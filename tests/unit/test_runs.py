"""Run directories: whatever was just done is on disk."""

from __future__ import annotations

import csv
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from labkit import runs
from labkit.analysis.ledger import balance
from labkit.analysis.summary import summarize
from labkit.load.verify import matches
from labkit.load.workloads import Expected
from labkit.runs import COLUMNS, Run
from test_images import generate_sample
from tests.support.records import completed, record


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_run_is_running_until_it_is_finished(tmp_path: Path) -> None:
    """A run that was broken off can be told from one that ended."""
    run = Run.begin("demo", {"jobs": 2, "seed": 1}, tmp_path)
    begun = _json(run.path / "run.json")
    assert (begun["name"], begun["state"], begun["settings"]) == ("demo", "running", {"jobs": 2, "seed": 1})
    assert begun["machine"]["cores"]
    records = [completed(0), record(sequence=1, outcome="failed", reason="permanent")]
    run.finish(records, balance(records), summarize(records))
    ended = _json(run.path / "run.json")
    assert (ended["state"], ended["begun"]) == ("finished", begun["begun"])
    assert ended["ended"] >= ended["begun"]
    assert sorted(path.name for path in run.path.iterdir()) == [
        "jobs.csv",
        "ledger.json",
        "run.json",
        "summary.json",
    ]


def test_the_files_say_what_happened(tmp_path: Path) -> None:
    """Ledger with its verdict, figures, and one row a job."""
    run = Run.begin("demo", {}, tmp_path)
    records = [
        completed(0, clock={"started": 101.5}, worker="worker-1", verified=True),
        record(sequence=1, outcome="failed", reason="permanent", error="Käse, „broken“\n日本"),
    ]
    run.finish(records, balance(records), summarize(records))
    ledger = _json(run.path / "ledger.json")
    assert (ledger["completed"], ledger["failed"], ledger["verdict"]) == (1, 1, True)
    assert ledger["failed_by_reason"] == {"permanent": 1}
    assert _json(run.path / "summary.json")["latency"]["samples"] == 1
    with (run.path / "jobs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert (rows[0]["job_id"], rows[0]["started"], rows[0]["attempts"]) == ("job-0", "101.5", "1")
    assert (rows[0]["verified"], rows[0]["outcome"], rows[0]["worker"]) == ("True", "completed", "worker-1")
    assert (rows[1]["error"], rows[1]["ended"]) == ("Käse, „broken“\n日本", "")


def test_latest_points_to_the_newest_run(tmp_path: Path) -> None:
    """The last run is found without its name."""
    Run.begin("one", {}, tmp_path)
    second = Run.begin("two", {}, tmp_path)
    assert (tmp_path / "latest").resolve() == second.path.resolve()


def test_runs_of_one_second_have_their_own_directories(tmp_path: Path) -> None:
    """Two commands that begin at the same moment do not write into each other's run."""
    made: list[Path] = []
    threads = [
        threading.Thread(target=lambda: made.append(Run.begin("same", {}, tmp_path).path)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8


def test_without_links_a_file_tells_the_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where links need a right that the user lacks, `latest` is a file with the name."""

    def refuse(*_: object) -> None:
        raise OSError("a required privilege is not held")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    run = Run.begin("demo", {}, tmp_path)
    assert (tmp_path / "latest").read_text() == run.path.name


def test_the_machine_is_described() -> None:
    """A figure means little without the machine that it is from."""
    found = runs.machine()
    assert set(found) == {
        "system",
        "release",
        "architecture",
        "processor",
        "cores",
        "memory_mb",
        "python",
    }
    assert 0 < float(str(found["cores"])) <= (os.cpu_count() or 1)


@pytest.mark.parametrize("kind", ["truncated", "text", "broken-chunk", "bomb", "empty"])
def test_a_damaged_result_does_not_match(kind: str) -> None:
    """However a picture is broken, looking at it says no and raises nothing."""
    assert not matches(generate_sample.corrupt(kind), Expected("JPEG", 10, 10))


def test_a_result_matches_by_format_and_size() -> None:
    """The bytes must decode, and be of the planned format and size."""
    picture = generate_sample.photo(40, 30, seed=1)
    assert matches(picture, Expected("JPEG", 40, 30))
    assert not matches(picture, Expected("PNG", 40, 30))
    assert not matches(picture, Expected("JPEG", 30, 40))
    assert not matches(picture[:200], Expected("JPEG", 40, 30))
