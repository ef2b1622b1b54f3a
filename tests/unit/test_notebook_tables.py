"""Runs as pandas tables, and where the notebooks look for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from labkit.errors import NoRun
from labkit.notebooks.pictures import spaced, spoken_duration
from labkit.notebooks.tables import SAMPLES, level, percentiles, read_run, read_runs
from tests.support.runs import finished, records, watched


def test_moments_count_from_the_first_intended_send(tmp_path: Path) -> None:
    """A job that was intended first is due at second 0, and durations are in seconds."""
    run = read_run(finished(tmp_path).path, "mix")
    assert run.jobs.intended.tolist() == [0] * 4
    assert run.completed.latency_s.round(6).tolist() == [0.5, 1.0, 1.5]
    assert run.completed.service_s.round(6).tolist() == [0.26] * 3
    assert run.duration_s == pytest.approx(1.5)


def test_stages_of_a_text_job_have_no_store(tmp_path: Path) -> None:
    """What a text job does not go through is not there; its processing begins at its start."""
    text = []
    for record in records(failed=0):
        clock = {name: at for name, at in record.clock.items() if name not in ("fetched", "stored")}
        planned = replace(record.planned, image="", operations="")
        text.append(replace(record, planned=planned, clock=clock))
    stages = read_run(finished(tmp_path, jobs=text).path, "mix").stages
    assert "fetch" not in stages
    assert "store" not in stages
    assert stages.process.round(6).tolist() == [0.2] * 3


def test_the_latest_run_with_ended_jobs_is_read(tmp_path: Path) -> None:
    """A newer run in which nothing ended is passed over, unless it is asked for."""
    good = finished(tmp_path, "good")
    empty = finished(tmp_path, "empty", jobs=[])
    assert read_run(None, "mix", tmp_path).files.path == good.path
    with pytest.raises(NoRun, match="No job"):
        read_run(empty.path, "mix", tmp_path)


def test_without_any_run_it_is_the_committed_sample(tmp_path: Path) -> None:
    """A fresh checkout has something to look at, for every notebook."""
    for name in ("mix", "closed-loop", "open-loop", "failure", "queueing"):
        run = read_run(None, name, tmp_path)
        assert run.files.path == SAMPLES / name
        assert "Every job is accounted for." in repr(run)
    assert len(read_runs(None, "worker-scaling", "scaling", tmp_path)) >= 18


def test_runs_of_a_name_come_oldest_first(tmp_path: Path) -> None:
    """A pattern is the begin of a name; one that fits nothing is said to fit nothing."""
    made = [finished(tmp_path, name) for name in ("scaling-1", "other", "scaling-2")]
    found = read_runs("scaling", "x", "scaling", tmp_path)
    assert [run.files.path for run in found] == [made[0].path, made[2].path]
    with pytest.raises(NoRun, match="'nothing'"):
        read_runs("nothing", "x", "scaling", tmp_path)


def test_samples_and_marks_have_the_same_zero(tmp_path: Path) -> None:
    """What was sampled and what was done can be drawn over the jobs."""
    run = read_run(watched(tmp_path).path, "mix")
    assert run.samples[run.samples.kind == "queue"]["at"].unique().tolist() == [0, 1, 2]
    assert run.marks["at"].tolist() == [1, 1.5]
    assert run.workers == 2
    assert run.ledger.completed == 3


def test_level_counts_what_is_open() -> None:
    """It rises with each begin and falls with each end; what has no end stays."""
    found = level(pd.Series([0.0, 1.0, 1.0]), pd.Series([2.0, 1.5, float("nan")]))
    assert found.to_dict() == {0.0: 1, 1.0: 3, 1.5: 2, 2.0: 1}


def test_percentiles_tell_when_samples_are_few() -> None:
    """Nearest rank, with a star below 10 / (1 - q) samples; a column without values is left out."""
    found = percentiles(pd.DataFrame({"a": range(1, 201), "b": [None] * 200}, dtype=float))
    assert found.index.tolist() == ["a"]
    assert found.loc["a"].tolist() == ["100.000 s", "180.000 s", "190.000 s", "198.000 s*"]


def test_names_that_would_touch_are_moved_apart() -> None:
    """Neighbours are at least the gap apart, and lone names stay where they are."""
    assert spaced([0.1, 0.9], 0.2) == pytest.approx([0.1, 0.9])
    assert spaced([0.5, 0.5, 0.9], 0.2) == pytest.approx([0.4, 0.6, 0.9])
    assert spaced([0.5, 0.5, 0.7], 0.2) == pytest.approx(
        [0.5 + 1 / 15 - 0.2, 0.5 + 1 / 15, 0.5 + 1 / 15 + 0.2]
    )


def test_durations_have_the_unit_that_fits() -> None:
    """Ticks are written as people say them."""
    assert [spoken_duration(seconds) for seconds in (0.0005, 0.01, 1, 100)] == [
        "0.5 ms",
        "10 ms",
        "1 s",
        "100 s",
    ]
