"""What is done to a stack while it is measured."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from labkit.control.timeline import Action, Timeline, What, steps
from labkit.errors import BadValue
from labkit.runtime.base import State
from tests.support.lab import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a stack of two workers."""
    return World.make(tmp_path).up(workers=2)


def _plan(world: World, *actions: Action) -> Timeline:
    lab = world.lab()
    return Timeline(steps(world.runtime, lab.access(), actions), lambda _: None)


def _state(world: World, name: str) -> State:
    return next(entry.state for entry in world.runtime.instances() if entry.name == name)


def _did(world: World, *actions: Action) -> Timeline:
    """Do all actions at once, and wait for their end."""
    timeline = _plan(world, *actions)
    ended = threading.Event()
    last = Action(0.02, "scale", {"service": "api", "count": 1})
    timeline._plan = [*timeline._plan, *steps(world.runtime, world.lab().access(), [last])]
    object.__setattr__(timeline._plan[-1], "call", ended.set)
    with timeline.running() as begin:
        begin()
        assert ended.wait(10)
    return timeline


def test_actions_happen_to_the_stack(world: World) -> None:
    """Scale, pause and kill, each by its name."""
    timeline = _did(
        world,
        Action(0, "scale", {"count": 3}),
        Action(0, "pause", {"target": "worker-1"}),
        Action(0.01, "kill", {"target": "worker-2"}),
    )
    assert timeline.errors == []
    assert world.names("worker") == ["worker-1", "worker-2", "worker-3"]
    assert _state(world, "worker-1") == State.PAUSED


def test_what_was_frozen_goes_on_when_the_run_ends_early(world: World) -> None:
    """A broken-off run leaves no instance frozen or down, and does nothing else any more."""
    timeline = _plan(
        world,
        Action(0, "freeze", {"target": "api", "for_s": 600}),
        Action(0, "kill", {"target": "worker-1", "down_for_s": 600}),
        Action(300, "kill", {"target": "worker-2"}),
    )
    with timeline.running() as begin:
        begin()
        while _state(world, "worker-1") != State.STOPPED:
            threading.Event().wait(0.01)
        assert _state(world, "api-1") == State.PAUSED
    assert {entry.state for entry in world.runtime.instances()} == {State.RUNNING}
    assert timeline.skipped == ["kill worker-2, planned for 300 s"]


def test_a_run_that_never_began_does_nothing(world: World) -> None:
    """Without a first job there is no second zero."""
    with _plan(world, Action(0, "pause", {"target": "worker-1"})).running():
        pass
    assert _state(world, "worker-1") == State.RUNNING


def test_a_failed_action_is_told(world: World) -> None:
    """The run goes on, and says what it could not do."""
    timeline = _did(world, Action(0, "pause", {"target": "worker-9"}))
    assert [error for error in timeline.errors if "worker-9" in error]


@pytest.mark.parametrize(
    ("what", "arguments"),
    [
        ("kill", {}),
        ("kill", {"target": "worker-1", "wrong": 1}),
        ("freeze", {"target": "api"}),
        ("scale", {"count": "many"}),
        ("explode", {}),
    ],
)
def test_an_action_that_makes_no_sense_is_refused_at_once(
    world: World, what: What, arguments: dict[str, Any]
) -> None:
    """A mistake shows before the run, not in its middle."""
    with pytest.raises(BadValue):
        _plan(world, Action(1, what, arguments))
