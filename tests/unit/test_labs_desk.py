"""A student's desk: what is asked, shown, checked and kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.errors import BadValue, UnknownName
from labkit.labs.desk import TRIES, Desk
from tests.support.desks import LAB, desk, small_lab
from tests.support.lab import World


@pytest.fixture
def sat(tmp_path: Path) -> Desk:
    """Give the desk of somebody who has begun the small lab."""
    small_lab(tmp_path)
    found = desk(World.make(tmp_path), tmp_path)
    found.begin(found.lab())
    return found


def predict(sat: Desk) -> None:
    """Make both predictions."""
    for wanted, value in (("sum", "2"), ("who", "2")):
        sat.predict(sat.lab(), wanted, value)


def answer(tmp_path: Path, text: str) -> None:
    """Do what the lab asks for."""
    (tmp_path / "runs" / "answer.txt").write_text(text)


def test_predictions_are_kept_one_by_one(sat: Desk) -> None:
    """Whoever stops in the middle is asked only for what is missing."""
    sat.predict(sat.lab(), "sum", "2,5", "by heart")
    assert [asked.id for asked in sat.questions(sat.lab())] == ["who"]
    kept = sat.state(sat.lab()).predictions["sum"]
    assert (kept.value, kept.why) == (2.5, "by heart")


@pytest.mark.parametrize("typed", ["2", "a worker", "A Worker"])
def test_a_choice_by_number_or_words(sat: Desk, typed: str) -> None:
    """Both ways of choosing mean the same."""
    sat.predict(sat.lab(), "who", typed)
    assert sat.state(sat.lab()).predictions["who"].value == "a worker"


@pytest.mark.parametrize(("wanted", "value"), [("sum", "many"), ("who", "3"), ("who", "the queue")])
def test_what_is_no_prediction(sat: Desk, wanted: str, value: str) -> None:
    """It is refused, and nothing is kept."""
    with pytest.raises(BadValue):
        sat.predict(sat.lab(), wanted, value)
    assert sat.state(sat.lab()).predictions == {}


def test_steps_come_one_at_a_time(sat: Desk) -> None:
    """After the last one there is none."""
    shown = [sat.next(sat.lab()) for _ in range(3)]
    assert [found and found[0] for found in shown] == [1, 2, None]
    assert sat.step(sat.lab())[0] == 2


def test_hints_come_one_at_a_time(sat: Desk) -> None:
    """The last one stays."""
    assert [sat.hint(sat.lab())[1] for _ in range(3)] == ["Count.", "Count again.", "Count again."]
    assert sat.state(sat.lab()).hints == 2


def test_checks_are_kept(sat: Desk, tmp_path: Path) -> None:
    """True, false and unknown are three things, in the file too."""
    predict(sat)
    outcomes = []
    for text in (None, "3", "2"):
        if text:
            answer(tmp_path, text)
        outcomes.append([entry.outcome for entry in sat.check(sat.lab())])
        assert [entry.outcome for entry in sat.state(sat.lab()).checks] == outcomes[-1]
    assert outcomes == [[None], [False], [True]]
    assert sat.question(sat.lab()) == "You have 2. Twice as many are?"


def test_the_last_question_passes_the_lab(sat: Desk, tmp_path: Path) -> None:
    """A wrong answer does not, until it was explained."""
    predict(sat)
    with pytest.raises(BadValue):
        sat.answer(sat.lab(), 4)
    answer(tmp_path, "2")
    list(sat.check(sat.lab()))
    assert not sat.answer(sat.lab(), 3).right
    assert sat.state(sat.lab()).passed_at is None
    assert sat.answer(sat.lab(), 4.1).right
    state = sat.state(sat.lab())
    assert (state.passed_at is not None, state.solved_by) == (True, "student")


def test_enough_wrong_answers_end_the_lab_too(sat: Desk, tmp_path: Path) -> None:
    """Then the answer is explained, and everybody goes on."""
    predict(sat)
    answer(tmp_path, "2")
    list(sat.check(sat.lab()))
    answers = [sat.answer(sat.lab(), 0) for _ in range(TRIES)]
    assert not any(given.right for given in answers)
    assert sat.state(sat.lab()).passed_at is not None


def test_a_restart_forgets(sat: Desk, tmp_path: Path) -> None:
    """Predictions, steps and checks are gone; how often it was begun is not."""
    predict(sat)
    answer(tmp_path, "2")
    list(sat.check(sat.lab()))
    sat.restart(sat.lab())
    state = sat.state(sat.lab())
    assert (state.predictions, state.checks, state.step, state.starts) == ({}, (), 0, 2)
    assert sat.question(sat.lab()) is None


def test_truths_by_arithmetic(sat: Desk) -> None:
    """A formula has a number, a choice its words."""
    assert sat.truths(sat.lab()) == {"sum": 2.0, "who": "a worker"}


def test_truths_of_this_machine(tmp_path: Path) -> None:
    """A formula may name what this computer can do."""
    small_lab(
        tmp_path, text=LAB.replace('"jobs / 2"', '"parallel + cores"').replace("jobs = 4", "workers = 4")
    )
    found = desk(World.make(tmp_path), tmp_path)
    assert found.truths(found.lab())["sum"] == 4.0


def test_requirements_warn(tmp_path: Path) -> None:
    """What should have been passed before is named, and does not block."""
    small_lab(tmp_path)
    small_lab(tmp_path, "01-next", LAB.replace("minutes = 5", 'minutes = 5\nrequires = ["00"]'))
    found = desk(World.make(tmp_path), tmp_path)
    assert found.missing(found.lab("01")) == ["00-small"]
    assert found.begin(found.lab("01")).starts == 1


def test_a_replay_needs_a_recorded_run(sat: Desk) -> None:
    """A lab without one says so."""
    with pytest.raises(BadValue, match="no recorded run"):
        sat.begin(sat.lab(), replay=True)


def test_a_lab_by_number_or_part_of_its_name(sat: Desk) -> None:
    """What is not clear is an error that names the labs."""
    assert [sat.lab(typed).name for typed in ("0", "00", "small", "00-small")] == ["00-small"] * 4
    with pytest.raises(UnknownName, match="'07'"):
        sat.lab("07")


def test_own_programs_are_put_aside(tmp_path: Path) -> None:
    """The copy of an exercise is the student's: a restart keeps it under another name."""
    folder = small_lab(tmp_path)
    (folder / "exercise.py").write_text("TODO")
    (folder / "solution.py").write_text("done")
    found = desk(World.make(tmp_path), tmp_path)
    lab = found.lab()
    found.begin(lab)
    mine = found.here(lab) / "exercise.py"
    mine.write_text("mine")
    found.begin(lab)
    assert mine.read_text() == "mine"
    aside = found.restart(lab)
    assert aside is not None
    assert (aside.read_text(), mine.read_text()) == ("mine", "TODO")
