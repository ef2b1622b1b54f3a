"""Recorded runs: labs that can be done without a stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.errors import BadValue, StartFailed
from labkit.experiments import calibrate
from labkit.experiments.calibrate import Calibration
from labkit.labs import content
from labkit.labs.content import LABS, Lab
from labkit.labs.desk import RECORDED, Desk, Places, is_right
from labkit.labs.handin import hand_in
from labkit.report.handin import page
from labkit.runtime.base import Notify, ignore
from labkit.runtime.fake import FakeRuntime
from labkit.stack import KEEP, Options
from tests.support.desks import LAB, desk, small_lab
from tests.support.lab import World

READ = [lab for lab in content.everything() if lab.file.replay]
LARGEST_BYTES = 150_000


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world whose stack is not up."""
    return World.make(tmp_path)


@pytest.fixture
def sat(world: World) -> Desk:
    """Give a desk with the real labs, on a machine that is not known."""

    def machine() -> None:
        raise AssertionError("this machine has nothing to do with a recorded run")

    places = Places(LABS, world.root / "runs", world.root / "own")
    return Desk(world.runtime, lambda: world.lab().access(), places, machine)  # type: ignore[arg-type]


@pytest.mark.parametrize("lab", READ, ids=lambda lab: lab.name)
def test_a_lab_is_done_by_reading(sat: Desk, lab: Lab) -> None:
    """All checks pass on the recorded runs, and what they measured is what is right on that machine."""
    sat.begin(lab, replay=True)
    assert [f"{entry.line}: {entry.said}" for entry in sat.check(lab) if not entry.outcome] == []
    figures, truths = sat.state(lab).figures, sat.truths(lab)
    asked = [entry for entry in lab.file.predict if entry.measured]
    wrong = [entry for entry in asked if not is_right(entry, figures[entry.measured], truths[entry.id])]
    assert [(entry.id, figures[entry.measured], truths[entry.id]) for entry in wrong] == []
    assert sat.question(lab)


@pytest.mark.parametrize("lab", READ, ids=lambda lab: lab.name)
def test_recorded_runs_are_small(lab: Lab) -> None:
    """They are a part of every download."""
    assert sum(path.stat().st_size for path in lab.recorded.rglob("*") if path.is_file()) < LARGEST_BYTES


def test_steps_of_reading_name_the_run(sat: Desk) -> None:
    """In a replay the steps are other ones, and their commands lead to the recorded run."""
    lab = content.find("04")
    sat.begin(lab, replay=True)
    assert sat.steps(lab) == lab.file.reading
    assert "labs/04-bursts/run" in sat.shown(lab, lab.file.reading[0]).command


def test_a_solution_of_a_replay_starts_nothing(sat: Desk) -> None:
    """It is marked, and that is all: the runs are there."""
    lab = content.find("04")
    sat.begin(lab, replay=True)
    typed: list[str] = []
    sat.solve(lab, typed.append)
    assert (typed, sat.state(lab).solved_by) == ([], "solve")


def test_the_page_says_so_and_draws_the_recorded_run(world: World, sat: Desk) -> None:
    """Whoever handed it in has read a recorded run, and the page shows that run."""
    lab = content.find("04")
    sat.begin(lab, replay=True)
    sat.predict(lab, "peak", "100")
    list(sat.check(lab))
    record = hand_in(sat.progress, [lab], sat.truths)
    made = page(record, world.lab().find_run)
    assert "read from a recorded run" in made
    assert "labs/04-bursts/run" in made
    assert "<svg" in made


class BrokenRuntime(FakeRuntime):
    """Does not start."""

    def up(self, options: Options = KEEP, notify: Notify = ignore) -> None:
        """Begin, and fail."""
        super().up(options, notify)
        raise StartFailed("rabbitmq-1 ends again and again.", "See: labctl logs rabbitmq")


def test_a_start_that_fails_offers_it(tmp_path: Path) -> None:
    """Without a working stack the way on is named; labs without a recorded run name none."""
    world = World.make(tmp_path, BrokenRuntime)
    assert "lab start 04 --replay" in world.run("lab", "start", "04").stdout
    assert "--replay" not in world.run("lab", "start", "08").stdout


def test_reading_and_a_recorded_run_belong_together(tmp_path: Path) -> None:
    """One without the other is a mistake in the file."""
    text = LAB.replace("minutes = 5", 'minutes = 5\nreplay = "labs/00-small/run"')
    with pytest.raises(BadValue, match="steps of reading"):
        content.read(small_lab(tmp_path, text=text))


def test_the_recorded_machine_counts(tmp_path: Path) -> None:
    """An answer that depends on the machine is that of the one on which the run was made."""
    text = LAB.replace('answer = "jobs / 2"', 'answer = "parallel"').replace("jobs = 4", "workers = 4")
    text = text.replace("minutes = 5", 'minutes = 5\nreplay = "labs/00-small/run"')
    reading = '[[reading]]\ntitle = "Read"\ncommand = "results show {run}"\n\n[transfer]'
    folder = small_lab(tmp_path, text=text.replace("[transfer]", reading))
    calibrate.save(folder / "run" / RECORDED, Calibration(allowed=8, speedup={2: 2.0, 4: 3.5}))
    at = desk(World.make(tmp_path), tmp_path)
    numbers = []
    for replay in (False, True):
        at.begin(at.lab(), replay=replay)
        numbers.append(at.truths(at.lab())["sum"])
    assert numbers == [2.0, 3.5]
