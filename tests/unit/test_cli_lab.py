"""lab list, start, next, hint, check and restart, without a stack."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from labkit.labs import content
from labkit.stack import Options
from services.common.jobs import Filter
from tests.support.examples import event, new_job
from tests.support.lab import World

PREDICTED = ("--predict", "half=0.5", "--predict", "share=2")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world whose stack is not up."""
    return World.make(tmp_path)


def test_the_list(world: World) -> None:
    """Each lab with its minutes and how far it is, as a table and as JSON."""
    assert "03-worker-failure" in world.run("lab", "list").stdout
    found = json.loads(world.run("lab", "list", "--json").stdout)
    assert [one["name"] for one in found["labs"]] == content.names()
    assert found["progress"]["labs"] == {}


def test_nothing_before_the_prediction(world: World) -> None:
    """Without a terminal the predictions stand on the command line; next, check and solve wait for them."""
    result = world.run("lab", "start", "06", "--replay")
    assert result.exit_code == 1
    assert "--predict half=" in " ".join(result.stderr.split())
    for command in ("next", "check", "solve"):
        result = world.run("lab", command)
        assert (result.exit_code, "lab start 06" in result.stderr) == (1, True), command


def test_a_lab_from_a_recorded_run(world: World) -> None:
    """The reading lab needs no stack: predict, check, answer, passed."""
    shown = world.run("lab", "start", "06", "--replay", *PREDICTED).stdout
    assert "Step 1 of 2" in shown
    assert "Step 2 of 2" in world.run("lab", "next").stdout
    assert "Hint 1 of 3" in world.run("lab", "hint").stdout
    asked = world.run("lab", "check")
    assert (asked.exit_code, "3 of 3 checks passed" in asked.stdout) == (1, True)
    wrong = world.run("lab", "check", "--answer", "1")
    assert (wrong.exit_code, "Not quite" in wrong.stdout) == (1, True)
    share = json.loads(world.run("lab", "check", "--json").stdout)["figures"]["share"]
    right = world.run("lab", "check", "--answer", f"{share:.0f}")
    assert (right.exit_code, "Lab 06 is passed" in right.stdout) == (0, True)
    assert "passed" in world.run("lab", "list").stdout


def test_whoever_starts_again_goes_on(world: World) -> None:
    """A second start asks nothing that was answered, and shows the present step."""
    world.run("lab", "start", "06", "--replay", *PREDICTED)
    world.run("lab", "next")
    again = world.run("lab", "start")
    assert (again.exit_code, "Step 2 of 2" in again.stdout) == (0, True)


def test_a_restart_asks_first(world: World) -> None:
    """A no changes nothing; a yes forgets."""
    world.run("lab", "start", "06", "--replay", *PREDICTED)
    world.answer = False
    assert "Nothing was changed" in world.run("lab", "restart").stdout
    world.answer = True
    assert "is as new" in world.run("lab", "restart").stdout
    assert world.run("lab", "next").exit_code == 1


@pytest.mark.parametrize("auth", ["off", "required"])
def test_a_stack_of_many_is_not_emptied_unasked(world: World, auth: str) -> None:
    """Where users log in, a lab asks before it deletes what waits; on one's own stack it is no question."""
    world.runtime.up(Options(counts={"worker": 1}, settings={"LAB_AUTH": auth}))
    world.answer = False
    with contextlib.closing(world.jobs()) as table:
        table.add([new_job()])
        table.apply([event("job.queued", job_id=table.list(Filter())[0].job_id)])
        result = world.run("lab", "start", "01")
        assert (len(world.questions), table.count_by_status()) == (
            (1, {"queued": 1}) if auth == "required" else (0, {})
        )
    assert ("nothing was deleted" in result.stderr) == (auth == "required")


def test_checks_of_an_untouched_lab_do_not_pass(world: World) -> None:
    """Every lab: with the right predictions and nothing done, nothing is passed."""
    world.up()
    with world.api():
        for name in content.names():
            lab = content.find(name)
            guesses = [f"{entry.id}={entry.choices[0] if entry.choices else 1}" for entry in lab.file.predict]
            started = world.run(
                "lab", "start", name, *(word for guess in guesses for word in ("--predict", guess))
            )
            assert started.exit_code == 0, started.stderr
            if not lab.has_code:
                checked = world.run("lab", "check")
                assert checked.exit_code == 2, checked.stdout
