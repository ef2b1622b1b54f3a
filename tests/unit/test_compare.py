"""Comparing set-ups: which runs belong together, and what may be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from labkit.analysis.compare import CONFIDENCE, FIGURES, Comparison, compare, pair, repeats
from labkit.errors import NoRun
from labkit.runs import RunFiles
from labkit.runs.read import all_runs
from tests.support.runs import finished, records

LOAD = {"workload": "mix", "jobs": 4, "arrivals": "all at once"}


def _run(root: Path, workers: int, latency_s: float = 1.0, **more: Any) -> RunFiles:  # noqa: ANN401
    """Write a run of three jobs, the middle one of this latency."""
    jobs = records((0.9 * latency_s, latency_s, 1.1 * latency_s), failed=0)
    return finished(root, jobs=jobs, settings={**LOAD, "workers": workers, **more})


def _sides(root: Path, before: Sequence[float], after: Sequence[float]) -> Comparison:
    one = [_run(root, 1, latency) for latency in before]
    two = [_run(root, 2, latency) for latency in after]
    return compare(one, two)


def test_a_clear_difference(tmp_path: Path) -> None:
    """Three runs a side that do not overlap by far differ, in all figures."""
    found = _sides(tmp_path, (3.0, 3.1, 2.9), (1.0, 1.02, 0.98))
    assert found.differs is True
    assert found.sentence == (
        "They differ: with B, throughput is 3.0 times as high, P50 latency is 67% shorter, "
        "P95 latency is 67% shorter, mean latency is 67% shorter."
    )
    throughput, p50, _, mean = found.figures
    assert throughput.change == pytest.approx(2.0, abs=0.01)
    assert (p50.before, p50.after) == pytest.approx((3000, 1000))
    assert mean.interval is not None
    assert mean.interval.low < -2000 < mean.interval.high


def test_runs_that_agree_are_alike(tmp_path: Path) -> None:
    """Where all that the intervals allow is within a tenth, there is no difference to speak of."""
    found = _sides(tmp_path, (1.0, 1.001, 0.999), (1.0, 1.002, 0.998))
    assert found.differs is False
    assert found.sentence == "No difference: all figures of A and B are alike within 10%."


def test_runs_that_scatter_say_nothing(tmp_path: Path) -> None:
    """No difference shown is not the same as no difference."""
    found = _sides(tmp_path, (1.0, 2.0, 3.0), (1.5, 2.5, 3.5))
    assert found.differs is None
    assert "More runs would tell" in found.sentence


@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 3), (3, 2)])
def test_fewer_than_three_runs_are_never_enough(tmp_path: Path, before: int, after: int) -> None:
    """However large the difference looks, the answer is unknown, and the reason is said."""
    found = _sides(tmp_path, [9.0] * before, [1.0] * after)
    assert found.differs is None
    assert (
        f"it takes 3 runs of each to tell chance from change; A has {before}, B has {after}" in found.sentence
    )
    assert all(entry.interval is None for entry in found.figures)
    assert found.figures[1].change == pytest.approx(-8 / 9)


def test_nothing_completed_is_unknown(tmp_path: Path) -> None:
    """Without completed jobs there is nothing to compare."""
    empty = [finished(tmp_path, jobs=[], settings=LOAD) for _ in range(3)]
    found = compare(empty, empty)
    assert (found.differs, found.figures) == (None, ())
    assert "no completed jobs" in found.sentence


def test_figures_share_the_error_that_is_allowed(tmp_path: Path) -> None:
    """All intervals hold together, so each of them is wider than it would be alone."""
    found = _sides(tmp_path, (3.0, 3.1, 2.9), (1.0, 1.2, 0.8))
    p50 = found.figures[1]
    assert p50.interval is not None
    alone = 2.776 * ((100**2 + 200**2) / 3) ** 0.5
    assert (p50.interval.high - p50.interval.low) / 2 > 1.3 * alone
    assert CONFIDENCE == 0.95
    assert len(FIGURES) == 4


def test_the_last_two_set_ups_are_found(tmp_path: Path) -> None:
    """Each with its repeats, whatever the seed; other work and broken-off runs are left out."""
    for seed in range(3):
        _run(tmp_path, 1, seed=seed)
        _run(tmp_path, 2, seed=seed, repeat=seed)
    finished(tmp_path, "other", settings={**LOAD, "jobs": 77})
    finished(tmp_path, settings={**LOAD, "workers": 2}, state="interrupted")
    before, after = pair(all_runs(tmp_path))
    assert [run.settings["workers"] for run in before] == [1, 1, 1]
    assert [run.settings["workers"] for run in after] == [2, 2, 2]


def test_with_one_set_up_the_last_two_runs_are_meant(tmp_path: Path) -> None:
    """The older one is A."""
    runs = [_run(tmp_path, 1) for _ in range(3)]
    before, after = pair(all_runs(tmp_path))
    assert [run.path for run in (*before, *after)] == [runs[1].path, runs[2].path]


def test_a_single_run_cannot_be_compared(tmp_path: Path) -> None:
    """The answer says how to come to a second one."""
    _run(tmp_path, 1)
    with pytest.raises(NoRun) as caught:
        pair(all_runs(tmp_path))
    assert "labctl demo" in caught.value.next_step


def test_repeats_share_name_and_settings(tmp_path: Path) -> None:
    """Another name is another set-up."""
    run = _run(tmp_path, 1)
    finished(tmp_path, "other", settings=dict(run.settings))
    assert [other.path for other in repeats(run, all_runs(tmp_path))] == [run.path]


def test_what_must_be_minded_is_said(tmp_path: Path) -> None:
    """Other work, interrupted runs, failed jobs, runs on end and few samples are named."""
    found = _sides(tmp_path, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    assert any("did not alternate" in note for note in found.notes)
    assert any("few samples" in note for note in found.notes)
    failed = finished(tmp_path, jobs=records(failed=2), settings={**LOAD, "jobs": 5})
    notes = " ".join(compare([*found.before, failed], found.after).notes)
    assert "different work" in notes
    assert "Not all jobs were completed" in notes


def test_runs_in_turns_need_no_warning(tmp_path: Path) -> None:
    """A, B, A, B, A, B is how it should be done."""
    turns = [_run(tmp_path, workers) for workers in (1, 2) * 3]
    found = compare(turns[::2], turns[1::2])
    assert not any("alternate" in note for note in found.notes)


def test_an_interrupted_run_is_named(tmp_path: Path) -> None:
    """It may be compared when it is asked for, with a warning."""
    run = finished(tmp_path, settings=LOAD, state="interrupted")
    assert any("interrupted" in note for note in compare([run], [run]).notes)
