"""Experiments and labs on containers: what they count is right; how fast that goes is not looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.cores import allowed_cores, is_busy, programs
from labkit.experiments.calibrate import QUICK, calibrate, needed
from labkit.experiments.declaration import read
from labkit.experiments.runner import Runner
from labkit.labs import devcheck
from labkit.project import REPOSITORY
from tests.acceptance.stack import Stack
from tests.acceptance.test_labs import desk_on

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

COUNTED = ("completed", "lost", "failed", "duplicated")


@pytest.mark.parametrize("name", ["basic", "worker-failure", "worker-scaling"])
def test_an_experiment_loses_nothing(stack: Stack, tmp_path: Path, name: str) -> None:
    """It runs to its end, and what it counts is as expected."""
    declared = read(REPOSITORY / "experiments" / f"{name}.toml")
    machine = calibrate(needed([declared]), QUICK) if declared.needs_calibration else None
    runner = Runner(stack.runtime, stack.access, machine=machine, runs=tmp_path / "runs")
    _, found = runner.run(declared, quick=True)
    counted = [line for line in found.lines if line.measure in COUNTED and line.expected]
    assert found.state == "finished"
    assert counted
    assert [line for line in counted if line.verdict != "ok"] == []
    assert [ran.trouble for ran in found.runs if ran.trouble] == []


@pytest.mark.parametrize("name", ["01", "03"])
def test_a_lab_can_be_solved(stack: Stack, tmp_path: Path, name: str) -> None:
    """Its walk does on containers what it does on processes, and all its checks pass."""
    desk = desk_on(stack, tmp_path)
    found = list(devcheck.solved(desk, desk.lab(name)))
    problems = [entry for entry in found if entry.problem and not _is_speed(entry.problem)]
    if problems and is_busy(programs(), allowed_cores()):
        pytest.skip(f"this machine is too busy to tell: {problems[0].problem}")
    assert problems == []


def _is_speed(problem: str) -> bool:
    """Tell what says only that this machine was slow: other tests run beside these."""
    return "allowed" in problem or "Other programs may have run" in problem
