"""The declared experiments, and what is declared wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.errors import BadValue, UnknownName
from labkit.experiments import declaration, measures
from labkit.experiments.declaration import STANDARD, Experiment, Part, everything, find, read
from labkit.experiments.expectation import Range, expected
from labkit.experiments.plan import CUT_OFF, arrivals, workload
from labkit.experiments.points import Point, points
from labkit.load.arrivals import ClosedLoop, OpenLoop
from services.worker.processors import parse_operations
from services.worker.settings import WorkerSettings
from tests.support.machine import RoundMachine

NAMES = (
    "basic",
    "bottleneck-moves",
    "broker-restart",
    "bursts",
    "dead-letter",
    "high-concurrency",
    "operations-compared",
    "prefetch",
    "retry-policies",
    "worker-failure",
    "worker-scaling",
)
EXPERIMENTS = everything()
HEAD = """
title = "T"
question = "Q?"
why = "W."
takes_s = 10
look_at = ["a"]
questions = ["b"]
"""


def _points(experiment: Experiment) -> list[Point]:
    return [point for part in experiment.parts for point in points(part, RoundMachine())]


def _expected(name: str, measure: str, part: str = "") -> list[Range]:
    return [
        expected(line, point.names)
        for point in _points(find(name))
        for line in point.part.expect
        if line.measure == measure and point.part.name == part and (not line.at or point.value in line.at)
    ]


def _read(tmp_path: Path, text: str) -> Experiment:
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + text)
    return read(path)


def test_the_experiments_are_there() -> None:
    """Each file is an experiment by its name."""
    assert tuple(declaration.names()) == NAMES


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: one.name)
def test_every_line_of_a_declaration_makes_sense(experiment: Experiment) -> None:
    """Sweeps lead somewhere, formulas have values, measures are known, and each point expects something."""
    for point in _points(experiment):
        due = [line for line in point.part.expect if not line.at or point.value in line.at]
        assert due
        for line in due:
            expected(line, point.names)
        for name in (*(line.measure for line in due), *point.part.observe):
            measures.find(name)
        load = workload(point.part.load, point.jobs)
        assert len(load.jobs) == point.jobs > 0
        assert all(parse_operations(job.operations) for job in load.jobs if job.image)
        arrivals(point.part.load, point.jobs)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: one.name)
def test_a_line_is_due_somewhere(experiment: Experiment) -> None:
    """`at` names values of the sweep, so that no expectation is silently never looked at."""
    for part in experiment.parts:
        values = part.sweep.values if part.sweep else ()
        assert all(set(line.at) <= set(values) for line in part.expect)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: one.name)
def test_sentences_are_sentences(experiment: Experiment) -> None:
    """A question ends as one, and there is something to look at and to answer."""
    assert experiment.question.endswith("?")
    assert experiment.why.endswith(".")
    assert len(experiment.look_at) >= 2
    assert len(experiment.questions) >= 3
    assert len({part.name for part in experiment.parts}) == len(experiment.parts)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: one.name)
def test_it_takes_as_long_as_it_says(experiment: Experiment) -> None:
    """The time is at least that of all runs whose duration is computed, with all their repeats."""
    known = [
        (ranges.target or ranges.high or 0.0) * point.part.repeats
        for point in _points(experiment)
        for line in point.part.expect
        if line.measure == "duration_s" and (not line.at or point.value in line.at)
        for ranges in [expected(line, point.names)]
    ]
    assert sum(known) <= experiment.takes_s <= 600


def test_the_arithmetic_of_the_fixed_workloads() -> None:
    """What is expected is what the kit's table of fixed workloads says."""
    assert [found.target for found in _expected("worker-scaling", "duration_s", "text")] == [30, 10, 6]
    assert _expected("bursts", "peak_backlog")[0].target == 100
    assert _expected("bursts", "duration_s")[0].target == 22.5
    targets = [found.target for found in _expected("prefetch", "duration_s", "two workers")]
    assert targets == [pytest.approx(5.5), 10]
    assert [found.target for found in _expected("bottleneck-moves", "duration_s")] == [30, 15]
    assert _expected("worker-failure", "redelivered")[0].target == 1
    requeue = _expected("retry-policies", "deliveries_per_job")[0]
    assert (requeue.low, requeue.high) == (1.05, 1.18)
    assert _expected("dead-letter", "completed")[0].target == 49


def test_the_standard_settings_are_those_of_the_worker() -> None:
    """An experiment that does not name a setting gets the worker's own default."""
    fields = WorkerSettings.model_fields
    assert {name: fields[name.removeprefix("LAB_").lower()].default for name in STANDARD} == STANDARD


def test_image_loads_are_sized_for_the_machine() -> None:
    """Sixteen seconds at 100 ms a job are 160 jobs, a quick run has fewer, and turns are whole."""
    part = Part.model_validate(
        {"load": {"workload": "images", "seconds": 16, "operations": ["rotate,90", "convert", "resize"]}}
    )
    assert points(part, RoundMachine())[0].jobs == 162
    assert points(part, RoundMachine(), quick=True)[0].jobs == 48


def test_a_part_lies_over_what_holds_for_all(tmp_path: Path) -> None:
    """Tables are merged value by value, and lists are added."""
    both = _read(
        tmp_path,
        """
        observe = ["gap_s"]
        stack = { workers = 2, prefetch = 5 }
        load = { jobs = 4 }
        [[parts]]
        name = "one"
        observe = ["lost"]
        stack = { workers = 3 }
        [[parts]]
        name = "two"
        """,
    )
    one, two = both.parts
    assert (one.stack.workers, one.stack.prefetch, two.stack.workers) == (3, 5, 2)
    assert (one.observe, two.observe) == (("lost", "gap_s"), ("gap_s",))


def test_a_sweep_changes_one_value(tmp_path: Path) -> None:
    """Of a table, of a list in it, or of a fault; the rest stays."""
    swept = _read(
        tmp_path,
        """
        load = { jobs = 4 }
        faults = [{ at_s = 1, what = "kill", target = "worker-1" }]
        sweep = { what = "faults.0.what", values = ["kill", "restart"], label = "by" }
        """,
    )
    found = points(swept.parts[0], None)
    assert [point.part.faults[0].what for point in found] == ["kill", "restart"]
    assert [point.label for point in found] == ["by kill", "by restart"]
    assert found[0].part.faults[0].action().arguments == {"target": "worker-1"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("load = { jobs = 4, job = 5 }", "load.job"),
        ("load = { }", "jobs"),
        ("load = { jobs = 4, seconds = 5 }", "say one of jobs"),
        ("load = { jobs = 4 }\nstack = { settings = { LAB_PORT = '1' } }", "LAB_PORT"),
        ("load = { jobs = 4 }\nexpect = [{ measure = 'lost' }]", "say one of equals"),
        ("load = { jobs = 4 }\nexpect = [{ measure = 'lost', equals = 1, tolerance = 'some' }]", "tolerance"),
        ("load = [", "no TOML"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    """The error has the file's name and what is wrong in it."""
    with pytest.raises(BadValue, match=r"^mine\.toml") as refused:
        _read(tmp_path, text)
    assert words in refused.value.message


def test_a_sweep_into_nowhere_is_refused(tmp_path: Path) -> None:
    """A typing error in the path must not sweep nothing."""
    found = _read(tmp_path, "load = { jobs = 4 }\nsweep = { what = 'stock.workers', values = [1] }")
    with pytest.raises(BadValue, match=r"stock\.workers"):
        points(found.parts[0], None)


def test_an_unknown_experiment_is_refused() -> None:
    """The error lists those that are known."""
    with pytest.raises(UnknownName) as refused:
        find("worker-scalling")
    assert "worker-scaling" in refused.value.next_step


def test_the_corrupt_images_are_in_the_middle() -> None:
    """One of fifty is cut off, has no result to verify, and has good ones before and after it."""
    [point] = _points(find("dead-letter"))
    jobs = workload(point.part.load, point.jobs).jobs
    assert [job.sequence for job in jobs if job.image == CUT_OFF] == [24]


def test_when_jobs_are_sent() -> None:
    """Bursts have their times, a closed loop its senders."""
    bursts, closed = _points(find("bursts"))[0], _points(find("prefetch"))[0]
    found = arrivals(bursts.part.load, bursts.jobs)
    assert isinstance(found, OpenLoop)
    assert sorted(set(found.offsets_s)) == [0, 5, 10]
    assert arrivals(closed.part.load, closed.jobs) == ClosedLoop(1)
