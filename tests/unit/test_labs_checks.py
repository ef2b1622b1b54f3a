"""The checks of the labs on runs made by hand: what passes, what fails, and what is said."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.control.marks import Mark
from labkit.labs import checks, content
from labkit.labs.evidence import Evidence, fingerprint
from labkit.labs.progress import Checked, LabProgress, Prediction
from labkit.load.records import Record
from labkit.runs import Run
from labkit.runtime.fake import FakeRuntime
from tests.support.lab import World
from tests.support.runs_of import record

SETTINGS = {
    "workload": "text",
    "arrivals": "all at once",
    "workers": {"worker": 2},
    "prefetch": 1,
    "ack": "late",
    "retry": "delayed",
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world whose stack is up."""
    return World.make(tmp_path).up()


def evidence(world: World, name: str, since: float = 0.0) -> Evidence:
    """Return the evidence of a lab that was begun, and predicted, long ago."""
    state = LabProgress(since, prepared_at=since, predictions={"all": Prediction(0.0, "", since)})
    return Evidence(content.find(name), state, world.runtime, world.lab().access, world.root / "runs")


def write(
    world: World,
    jobs: Sequence[Record],
    marks: Sequence[Mark] = (),
    state: str = "finished",
    **settings: object,
) -> Run:
    """Write a run of this project."""
    chosen = {**SETTINGS, "jobs": len(jobs), "work_s": [1.0], **settings}
    run = Run.begin("messages", chosen, world.root / "runs", project=world.runtime.project)
    for mark in marks:
        run.mark(mark)
    run.finish(jobs, state="interrupted" if state == "interrupted" else "finished")
    return run


def look(found: Evidence) -> dict[str, Checked]:
    """Run the checks of the lab."""
    return {entry.name: entry for entry in checks.load(found.lab.folder / "check.py").run(found)}


def failure(again: int = 1) -> list[Record]:
    """Return 40 jobs of 1 s of two workers, one of which was away from 5 to 15 s."""
    ends = [1.0 + number // 2 for number in range(10)] + [6.0 + number for number in range(10)]
    ends += [16.0 + number // 2 for number in range(20)]
    jobs = [replace_ended(record(number), end) for number, end in enumerate(ends)]
    for job in jobs[:again]:
        job.story.redelivered = 1
    return jobs


def replace_ended(job: Record, end: float) -> Record:
    """Return the job with another end."""
    return replace(job, ended_at=end)


KILL = (Mark(5.0, "kill", "worker-1 killed", "worker-1"), Mark(15.0, "back", "worker-1 is back", "worker-1"))


def test_a_worker_that_was_killed_at_work(world: World) -> None:
    """Lab 03 passes, and has the student's own numbers."""
    write(world, failure(), KILL)
    found = evidence(world, "03")
    assert {entry.outcome for entry in look(found).values()} == {True}
    numbers = checks.load(found.lab.folder / "check.py").numbers(found)
    assert (numbers["lost"], numbers["redelivered"], numbers["down"]) == (0, 1, 10)
    assert numbers["done"] == 25.0


@pytest.mark.parametrize(
    ("again", "marks", "said"),
    [(0, KILL, "idle when you killed it"), (1, (), "No worker was killed")],
)
def test_a_kill_without_harm_proves_nothing(
    world: World, again: int, marks: Sequence[Mark], said: str
) -> None:
    """A kill counts only with a job in hand, and a redelivery seen: else lab 03 is unknown."""
    write(world, failure(again), marks)
    outcomes = look(evidence(world, "03"))
    assert {entry.outcome for entry in outcomes.values()} <= {None}
    assert said in outcomes["a_busy_worker_was_killed"].said


@pytest.mark.parametrize(
    ("settings", "outcome", "said"),
    [
        ({"ack": "early"}, False, "auto-ack"),
        ({"prefetch": 0}, False, "unlimited"),
        ({"workers": {"worker": 1}}, None, "workers 2; the last one had 1"),
        ({"work_s": [0.5]}, None, "no run of 40 text jobs of 1 s"),
        ({"state": "interrupted"}, None, "stopped before its end"),
    ],
)
def test_wrong_states_are_named(world: World, settings: dict[str, str], outcome: object, said: str) -> None:
    """A run in one of the common wrong states fails with its name; another load is no evidence."""
    write(world, failure(), KILL, **settings)
    found = look(evidence(world, "03"))["nothing_was_lost"]
    assert found.outcome is outcome
    assert said in found.said
    assert found.next_step


def test_evidence_is_of_this_project_and_later_than_the_prediction(world: World) -> None:
    """Runs of a neighbour, or from before, do not count."""
    write(world, failure(), KILL)
    neighbour = replace(world, runtime=FakeRuntime(replace(world.runtime.project, name="neighbour")))
    assert evidence(neighbour, "03").runs == []
    assert evidence(world, "03", since=time.time() + 1).runs == []
    assert len(evidence(world, "03").runs) == 1


def test_a_run_has_a_fingerprint(world: World) -> None:
    """It changes with the jobs, and only runs that were looked at are named."""
    run = write(world, failure(), KILL)
    found = evidence(world, "03")
    assert [used.name for used in found.used] == []
    look(found)
    assert [used.name for used in found.used] == [run.path.name]
    before = fingerprint(run.path)
    (run.path / "jobs.csv").write_text("changed")
    assert fingerprint(run.path) != before


def bursts(work_s: float = 0.25) -> list[Record]:
    """Return three bursts of 60 jobs, and two workers that are never idle."""
    return [
        replace_ended(record(number, sent=5.0 * (number // 60)), (number // 2 + 1) * work_s)
        for number in range(180)
    ]


def test_bursts_as_the_arithmetic_says(world: World) -> None:
    """Lab 04: 100 jobs at the worst moment, and all is done after 22.5 s."""
    write(world, bursts(), work_s=[0.25])
    found = evidence(world, "04")
    assert {entry.outcome for entry in look(found).values()} == {True}
    numbers = checks.load(found.lab.folder / "check.py").numbers(found)
    assert (numbers["peak"], numbers["empty"], numbers["rate"]) == (100, 22.5, 8)


def test_bursts_that_were_slower(world: World) -> None:
    """On a machine that was busy the check is unknown, with the numbers."""
    write(world, bursts(0.4), work_s=[0.25])
    found = look(evidence(world, "04"))["it_was_empty_in_time"]
    assert found.outcome is None
    assert "36.0 s" in found.said


def test_a_run_behind_a_backlog_is_no_evidence(world: World) -> None:
    """Jobs that an earlier run has left behind would be measured too."""
    late = [replace(job, clock={**job.clock, "started": job.intended_at + 30}) for job in bursts()]
    write(world, late, work_s=[0.25])
    found = look(evidence(world, "04"))["everything_was_done"]
    assert found.outcome is None
    assert "earlier run" in found.said


@pytest.mark.parametrize(
    ("held_up", "outcome", "ratio"), [(0.0, True, 1.0), (0.5, True, 1.0), (0.95, None, 3.0)]
)
def test_answers_beside_a_long_queue(world: World, held_up: float, outcome: object, ratio: float) -> None:
    """Lab 01: other programs that hold up most answers for a while do not change what is found out."""
    jobs = []
    for number in range(750):
        sent, busy = number / 30, number >= 600 and number % 100 < 100 * held_up
        job = record(number, sent=sent)
        jobs.append(replace(job, answered_at=sent + (0.03 if busy else 0.01), ended_at=(number + 1) / 10))
    write(world, jobs, work_s=[0.1], workers={"worker": 1})
    found = evidence(world, "01")
    assert look(found)["the_answer_is_as_fast"].outcome is outcome
    numbers = checks.load(found.lab.folder / "check.py").numbers(found)
    assert numbers["ratio"] == pytest.approx(ratio)


@pytest.mark.parametrize("name", content.names())
def test_nothing_is_known_without_a_stack(tmp_path: Path, name: str) -> None:
    """Checks of a lab whose stack is down are unknown, each with a next step."""
    found = evidence(World.make(tmp_path), name)
    outcomes = look(found).values()
    assert {entry.outcome for entry in outcomes} == {None}
    assert all(entry.said and entry.next_step for entry in outcomes)


def test_a_check_that_meets_a_fault_is_unknown(world: World) -> None:
    """What a check asks for and does not get is no verdict about the student."""
    broken: Callable[[Evidence], checks.Outcome] = lambda given: checks.Passed(str(given.ask("/jobs")))  # noqa: E731
    found = checks.Check("broken", "It answers", broken).run(evidence(world, "00"))
    assert found.outcome is None
    assert "did not answer" in found.said
