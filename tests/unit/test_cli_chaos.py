"""chaos - against the in-memory store and broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.lab import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world whose stack runs."""
    return World.make(tmp_path).up()


def test_faults_add_up_until_they_are_cleared(world: World) -> None:
    """Each command changes one of them and shows all; `status` shows them too."""
    world.run("chaos", "fail-rate", "0.1")
    shown = " ".join(world.run("chaos", "delay", "convert=500ms", "text=1s").stdout.split())
    assert "10% of attempts fail; convert takes 500 ms longer; text takes 1 s longer" in shown
    assert json.loads(world.run("chaos", "show", "--json").stdout)["delays_s"] == {"convert": 0.5, "text": 1}
    assert "Fault active" in world.run("status").stdout
    assert "No fault is active." in world.run("chaos", "clear").stdout
    assert "Fault active" not in world.run("status").stdout


def test_a_delay_of_an_unknown_operation_is_refused(world: World) -> None:
    """A typing error would delay nothing, and nobody would know why."""
    result = world.run("chaos", "delay", "conver=1s")
    assert result.exit_code != 0
    assert "There is no operation called 'conver'." in result.stderr
    assert "convert" in result.stderr


@pytest.mark.parametrize("time", ["500", "1h", "-1s", ""])
def test_a_delay_must_be_a_time(world: World, time: str) -> None:
    """Milliseconds or seconds, up to a minute."""
    assert world.run("chaos", "delay", f"convert={time}").exit_code != 0
