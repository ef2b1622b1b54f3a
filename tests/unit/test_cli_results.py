"""results, ledger, report and compare as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labkit.runs import Run
from labkit.runs.read import all_runs
from tests.support.lab import World
from tests.support.records import completed, record
from tests.support.runs import abandoned, finished, records, watched


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world whose stack is not up: reading runs needs none."""
    return World.make(tmp_path)


def _runs(world: World) -> Path:
    return world.root / "runs"


@pytest.mark.parametrize("command", ["results list", "results show", "ledger", "report", "compare"])
def test_without_runs_every_command_says_how_to_make_one(world: World, command: str) -> None:
    """The next step is the demo."""
    result = world.run(*command.split())
    assert result.exit_code == 1
    assert "labctl.py demo" in result.stderr


def test_the_list_has_the_newest_first(world: World) -> None:
    """Number, name, jobs and verdict; interrupted runs are called so."""
    finished(_runs(world), "first")
    abandoned(Run.begin("second", {}, _runs(world)))
    lines = world.run("results", "list").stdout.splitlines()
    assert lines[1].split()[:2] == ["1", "second"]
    assert lines[1].split()[-1] == "interrupted"
    assert lines[2].split()[:2] == ["2", "first"]
    assert lines[2].split()[-1] == "ok"
    assert all(len(line) <= 80 for line in lines)


def test_the_list_can_be_cut_and_filtered(world: World) -> None:
    """By name and by number, and it says what was left out."""
    for name in ("one", "two", "two"):
        finished(_runs(world), name)
    assert "2 more" in world.run("results", "list", "-n", "1").stdout
    found = json.loads(world.run("results", "list", "--name", "two", "--json").stdout)
    assert [(entry["number"], entry["name"], entry["verdict"]) for entry in found] == [
        (1, "two", True),
        (2, "two", True),
    ]
    assert world.run("results", "list", "--name", "three").exit_code == 1


def test_one_run_is_shown(world: World) -> None:
    """Ledger, figures, what was done meanwhile, settings, and what to do next."""
    watched(_runs(world))
    shown = world.run("results", "show").stdout
    for words in ("Every job is accounted for.", "queue wait", "worker: 1 → 3", "workload mix", "report"):
        assert words in shown, words
    found = json.loads(world.run("results", "show", "1", "--json").stdout)
    assert found["ledger"]["completed"] == 3
    assert found["marks"][0]["kind"] == "scale"
    assert found["state"] == "finished"


def test_an_interrupted_run_is_shown_as_such(world: World) -> None:
    """With what it knew, and no verdict."""
    run = Run.begin("demo", {}, _runs(world))
    run.progress([completed(0), record(sequence=1)])
    abandoned(run)
    shown = world.run("results", "show").stdout
    assert "interrupted" in shown
    assert "under way when the run was broken off" in shown


@pytest.mark.parametrize(
    ("jobs", "code", "says"),
    [
        (records(), 0, "Every job is accounted for."),
        ([record(outcome="")], 1, "Some jobs are missing"),
        ([record(status_code=503)], 2, "Too little is known"),
    ],
    ids=["kept", "lost", "unknown"],
)
def test_the_ledger_has_three_exits(world: World, jobs: list[object], code: int, says: str) -> None:
    """0: all promises were kept, 1: one was broken, 2: nobody can say."""
    finished(_runs(world), jobs=jobs)  # type: ignore[arg-type]
    result = world.run("ledger")
    assert result.exit_code == code
    assert says in result.stdout
    assert json.loads(world.run("ledger", "--json").stdout)["verdict"] is {0: True, 1: False, 2: None}[code]


def test_the_ledger_of_an_interrupted_run_is_unknown(world: World) -> None:
    """Jobs under way are not lost, and a run that was broken off proves nothing."""
    finished(_runs(world), jobs=[completed(0)], state="interrupted")
    assert world.run("ledger").exit_code == 2


def test_a_report_is_written(world: World) -> None:
    """Into the run, or where one likes."""
    run = watched(_runs(world))
    assert "report.html" in world.run("report").stdout.replace("\n", "")
    assert (run.path / "report.html").exists()
    other = world.root / "page.html"
    assert json.loads(world.run("report", "-o", str(other), "--json").stdout) == {"report": str(other)}
    refused = world.run("report", "-o", str(world.root / "none" / "page.html"))
    assert refused.exit_code == 1
    assert "cannot be written" in refused.stderr


def _set_ups(world: World, *latencies_s: tuple[float, float]) -> None:
    """Write runs of two set-ups in turns."""
    for pair in latencies_s:
        for workers, latency in enumerate(pair, 1):
            jobs = records((latency, 1.01 * latency), failed=0)
            settings = {"workload": "mix", "jobs": 2, "workers": workers}
            finished(_runs(world), f"with-{workers}", jobs=jobs, settings=settings)


@pytest.mark.parametrize(
    ("second", "code", "says"),
    [(0.5, 0, "They differ"), (1.0, 1, "No difference"), (None, 2, "Unknown")],
)
def test_a_comparison_has_three_exits(world: World, second: float | None, code: int, says: str) -> None:
    """0: they differ, 1: they are alike, 2: unknown."""
    if second is None:
        _set_ups(world, (1.0, 0.5))
    else:
        _set_ups(world, (1.0, second), (1.001, second), (1.0, 1.001 * second))
    for typed in ((), ("2", "1"), ("with-1", "with-2"), ("--name", "with-1", "--name", "with-2")):
        result = world.run("compare", *typed)
        assert result.exit_code == code, typed
        assert says in result.stdout
    assert json.loads(world.run("compare", "--json").stdout)["differs"] is {0: True, 1: False, 2: None}[code]


def test_sides_can_be_named_run_by_run(world: World) -> None:
    """A list of runs is meant as it stands."""
    _set_ups(world, (1.0, 0.5), (1.0, 0.5), (1.0, 0.5))
    found = json.loads(world.run("compare", "2,4", "1,3", "--json").stdout)
    assert (len(found["a"]), len(found["b"]), found["differs"]) == (2, 2, None)
    names = [run.directory for run in all_runs(_runs(world))]
    assert found["a"] == [names[1], names[3]]


def test_two_repeats_of_one_set_up_are_meant_themselves(world: World) -> None:
    """They are not both replaced by all repeats, which would compare a set-up with itself."""
    _set_ups(world, (1.0, 0.5), (1.0, 0.5))
    found = json.loads(world.run("compare", "4", "2", "--json").stdout)
    assert (len(found["a"]), len(found["b"])) == (1, 1)


@pytest.mark.parametrize(
    "typed", [["1"], ["1", "2", "3"], ["--name", "x"], ["1", "2", "--name", "x"], [",", "1"]]
)
def test_a_comparison_needs_two_sides(world: World, typed: list[str]) -> None:
    """Anything else is answered with how to type it."""
    _set_ups(world, (1.0, 0.5), (1.0, 0.5))
    result = world.run("compare", *typed)
    assert result.exit_code == 1
    assert "compare A B" in result.stderr or "results list" in result.stderr


def test_old_runs_are_pruned_when_asked(world: World) -> None:
    """The newest stay; without a yes nothing is deleted, and a run under way stays."""
    root = _runs(world)
    Run.begin("under-way", {}, root)
    for number in range(3):
        finished(root, f"run-{number}")
    world.answer = False
    assert "Nothing was changed" in world.run("results", "prune", "--keep", "1").stdout
    assert "Delete 2 runs for good" in world.questions[0]
    world.answer = True
    assert "Deleted 2 runs" in world.run("results", "prune", "--keep", "1").stdout
    assert [run.name for run in all_runs(root)] == ["run-2", "under-way"]
    assert "nothing to delete" in world.run("results", "prune", "--keep", "1", "--yes").stdout
