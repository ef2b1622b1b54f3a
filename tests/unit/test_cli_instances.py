"""scale, kill, pause, resume, restart."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from labkit.cli.instances import counts
from labkit.control import faults
from labkit.control.faults import brought_back
from labkit.stack import Options
from services.common.topology import Layout
from tests.support.lab import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world whose stack runs with two workers; the second holds a job."""
    world = World.make(tmp_path).up(workers=2)
    world.held["worker-2"] = ("job-7",)
    return world


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["3"], {"worker": 3}),
        (["worker=3"], {"worker": 3}),
        (["worker", "3"], {"worker": 3}),
        (["worker=3", "api=2"], {"worker": 3, "api": 2}),
        (["api=0"], {"api": 0}),
    ],
)
def test_three_ways_to_say_a_number(typed: list[str], meant: dict[str, int]) -> None:
    """`3`, `worker=3` and `worker 3` mean the same."""
    assert counts(typed) == meant


@pytest.mark.parametrize("typed", [["worker"], ["-1"], ["worker", "many"], ["=3"], ["worker=3", "api"]])
def test_what_is_no_number_is_refused(typed: list[str]) -> None:
    """Anything else is a usage error."""
    with pytest.raises(typer.BadParameter):
        counts(typed)


def test_scale_waits_for_the_heartbeats(world: World) -> None:
    """`scale 4` says from where to where, and that all are ready."""
    result = world.run("scale", "4")
    assert result.exit_code == 0
    assert result.stdout.startswith("worker: 2 → 4, ready in ")
    assert len(world.names("worker")) == 4


def test_scale_down_and_scale_other_services(world: World) -> None:
    """Fewer workers, and services without heartbeats, are scaled as well."""
    result = world.run("scale", "worker=1", "api=2")
    assert [line.partition(",")[0] for line in result.stdout.splitlines()] == ["worker: 2 → 1", "api: 1 → 2"]


def test_scale_without_the_broker_still_scales(world: World) -> None:
    """When no heartbeat can be heard, the instances' own health decides."""
    world.broker_answers = False
    assert world.run("scale", "3").stdout.startswith("worker: 2 → 3")


def test_paused_workers_are_not_waited_for(world: World) -> None:
    """A frozen worker sends no heartbeat, and does not hold `scale` up."""
    world.run("pause", "worker-1")
    world.runtime.scale("worker", 2)
    assert world.run("scale", "3").exit_code == 0


def test_a_service_that_runs_once_is_not_scaled(world: World) -> None:
    """The refusal names the services that scale."""
    result = world.run("scale", "tracker", "2")
    assert result.exit_code == 1
    assert "worker, rotate, resize, force_resize, convert, other, api" in result.stderr


def test_pools_scale_one_by_one(world: World) -> None:
    """In the layout per-operation `scale convert=3` waits for the heartbeats of the pool."""
    world.runtime.up(Options(layout="per-operation"))
    result = world.run("scale", "convert=3")
    assert result.stdout.startswith("convert: 1 → 3, ready in ")
    assert world.names("convert") == ["convert-1", "convert-2", "convert-3"]


@pytest.mark.parametrize(
    ("layout", "typed", "other", "offered"),
    [
        ("single", "convert=3", "per-operation", "worker, api"),
        ("per-operation", "3", "single", "rotate, resize, force_resize, convert, other, api"),
    ],
)
def test_what_the_layout_does_not_run_is_not_scaled(
    world: World, layout: Layout, typed: str, other: Layout, offered: str
) -> None:
    """The refusal names what scales in this layout, and how to change to the other."""
    world.runtime.up(Options(layout=layout))
    result = world.run("scale", typed)
    assert result.exit_code == 1
    assert f"runs only in the layout {other}" in result.stderr
    assert offered in result.stderr
    assert f"up --layout {other}" in result.stderr


def test_a_worker_of_a_pool_is_killed_with_its_job(world: World) -> None:
    """Pools are workers: `--random` finds them, and their job is told."""
    world.runtime.up(Options(layout="per-operation"))
    world.held["convert-1"] = ("job-9",)
    assert "It held job job-9." in world.run("kill", "convert").stdout
    shown = world.run("kill", "--random").stdout
    assert shown.count("Killed ") == 1
    assert "held" in shown


def test_without_workers_chance_hits_nobody(world: World) -> None:
    """`kill --random` with no worker at all says how to start one."""
    world.runtime.scale("worker", 0)
    result = world.run("kill", "--random")
    assert result.exit_code == 1
    assert "scale worker=1" in result.stderr


def test_kill_names_its_victim_and_the_job_it_held(world: World) -> None:
    """`kill worker-2` says which process died with which job; the supervisor starts it again."""
    pid = next(entry.id for entry in world.runtime.instances() if entry.name == "worker-2")
    result = world.run("kill", "worker-2")
    assert f"Killed worker-2 (process {pid}). It held job job-7." in result.stdout
    assert world.states()["worker-2"] == "running"


def test_kill_of_an_idle_worker_says_so(world: World) -> None:
    """A worker without a job held none."""
    assert "It held no job." in world.run("kill", "worker-1").stdout


def test_kill_without_the_broker_does_not_guess(world: World) -> None:
    """What a worker held is not known when nobody could listen."""
    world.broker_answers = False
    assert "What it held is not known" in world.run("kill", "worker-2").stdout


def test_kill_of_a_service_kills_all_of_it(world: World) -> None:
    """A service's name means all its instances."""
    shown = world.run("kill", "worker").stdout
    assert "Killed worker-1" in shown
    assert "Killed worker-2" in shown


def test_kill_of_another_service_speaks_of_no_job(world: World) -> None:
    """Only workers hold jobs."""
    assert "held" not in world.run("kill", "rabbitmq").stdout


def test_kill_at_random_hits_one_worker(world: World) -> None:
    """`--random` alone means a worker, whichever; chance decides."""
    shown = world.run("kill", "--random").stdout
    assert shown.count("Killed worker-") == 1
    everyone = world.runtime.instances()
    picked = {faults.choose(everyone, random.Random(seed))[0].name for seed in range(60)}
    assert picked == {entry.name for entry in everyone}


def test_a_victim_comes_back_after_its_time(world: World) -> None:
    """`--down-for` keeps the victim down so long, then starts it and waits for it."""
    result = world.run("kill", "worker-1", "--down-for", "0.05")
    assert result.exit_code == 0
    assert "worker-1: back and ready." in result.stdout
    assert world.states()["worker-1"] == "running"


def test_a_victim_comes_back_even_after_ctrl_c(world: World) -> None:
    """An interrupted wait brings the victim back."""
    world.runtime.kill("worker-1", respawn=False)
    with pytest.raises(KeyboardInterrupt), brought_back(world.runtime, ["worker-1"]):
        raise KeyboardInterrupt
    assert world.states()["worker-1"] == "running"


def test_the_countdown_counts_down() -> None:
    """The seconds that are left fall to nothing."""
    ticks: Iterator[float] = iter([0.0, 0.01, 0.03, 0.06])
    assert list(faults.seconds_left(0.05, lambda: next(ticks))) == pytest.approx([0.04, 0.02])


def test_an_unknown_victim_gets_the_list_of_names(world: World) -> None:
    """A typing error kills nobody."""
    result = world.run("kill", "worker-9")
    assert result.exit_code == 1
    assert "worker-2" in result.stderr


def test_pause_and_resume(world: World) -> None:
    """A paused instance is shown as such until it is resumed."""
    assert "worker-1 is paused." in world.run("pause", "worker-1").stdout
    assert world.states()["worker-1"] == "paused"
    assert "worker-1 goes on." in world.run("resume", "worker-1").stdout
    assert world.states()["worker-1"] == "running"


def test_restart_of_a_service(world: World) -> None:
    """All its instances end politely and run again."""
    result = world.run("restart", "worker")
    assert result.stdout.splitlines() == ["worker-1 is back and ready.", "worker-2 is back and ready."]
    restarts = {entry.name: entry.restarts for entry in world.runtime.instances()}
    assert (restarts["worker-1"], restarts["worker-2"], restarts["api-1"]) == (1, 1, 0)


def test_what_is_stopped_cannot_be_hit(world: World) -> None:
    """An instance without a process is neither killed nor paused; the answer says how to start it."""
    world.runtime.stop("worker-1")
    result = world.run("pause", "worker-1")
    assert result.exit_code == 1
    assert "restart worker-1" in result.stderr
