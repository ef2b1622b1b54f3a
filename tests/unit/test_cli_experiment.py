"""experiment list, show and run; calibrate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labkit.cli import experiment
from labkit.cli.experiment import complete_experiments
from labkit.experiments import calibrate, declaration
from tests.support.lab import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world whose stack is not up."""
    return World.make(tmp_path)


def test_the_list(world: World) -> None:
    """Each experiment with what it asks and how long it takes, as a table and as JSON."""
    assert "worker-failure" in world.run("experiment", "list").stdout
    found = json.loads(world.run("experiment", "list", "--json").stdout)
    assert [one["name"] for one in found] == declaration.names()


def test_one_experiment(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its question, its expectations and its questions; there is no result before the first run."""
    monkeypatch.setattr(experiment, "RUNS", tmp_path)
    shown = " ".join(world.run("experiment", "show", "bursts").stdout.split())
    assert declaration.find("bursts").question in shown
    assert "jobs * work_s / workers" in shown
    found = json.loads(world.run("experiment", "show", "bursts", "--json").stdout)
    assert found["experiment"]["name"] == "bursts"
    assert found["result"] is None


@pytest.mark.parametrize("command", ["run", "show"])
def test_an_unknown_experiment(world: World, command: str) -> None:
    """It is an error that lists the known ones, and nothing is started."""
    result = world.run("experiment", command, "worker-scalling")
    assert result.exit_code == 1
    assert "worker-scaling" in result.stderr
    assert world.states() == {}


def test_a_stack_at_work_is_left_alone(world: World) -> None:
    """Jobs in the queues would be measured too: the error says so, and nothing is changed."""
    world.waiting = 3
    world.up(workers=2)
    result = world.run("experiment", "run", "bursts")
    assert result.exit_code == 1
    assert "3 jobs wait" in result.stderr
    assert world.names("worker") == ["worker-1", "worker-2"]


def test_calibrate_writes_what_it_measures(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures are shown, and kept for experiments."""
    brief = calibrate.Effort(service_s=0, window_s=0, rounds=1)
    monkeypatch.setattr(calibrate, "QUICK", brief)
    monkeypatch.setattr(calibrate, "PROCESSES", (2,))
    monkeypatch.setattr(calibrate, "needed", lambda _: [("small.jpg", "rotate,90")])
    result = world.run("calibrate", "--quick")
    assert result.exit_code == 0
    assert "rotate,90" in result.stdout
    path = world.root / ".lab" / "calibration.json"
    assert json.loads(path.read_text())["services"].keys() == {"small.jpg|rotate,90"}


def test_names_are_completed() -> None:
    """A shell that asks gets the names that begin so."""
    assert complete_experiments("worker-") == ["worker-failure", "worker-scaling"]
