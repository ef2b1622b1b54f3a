"""An experiment on a whole stack."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from labkit.control import chaos
from labkit.errors import Busy
from labkit.experiments.declaration import read
from labkit.experiments.result import newest
from labkit.experiments.runner import Now, Runner
from tests.acceptance.stack import Stack, eventually

MINE = """
title = "T"
question = "Q?"
why = "W."
takes_s = 20
look_at = ["a", "b"]
questions = ["c", "d", "e"]
observe = ["duration_s"]
load = { jobs = 8, work_s = [0.1] }

[[expect]]
measure = "completed"
equals = "jobs"
[[expect]]
measure = "lost"
equals = 0

[[parts]]
name = "scaled"
sweep = { what = "stack.workers", values = [1] }
[[parts.expect]]
measure = "done_by.worker-1"
equals = "jobs"

[[parts]]
name = "delayed"
stack = { layout = "per-operation", prefetch = 2 }
chaos = { delays_s = { text = 0.1 } }
[[parts.expect]]
measure = "service_mean_ms"
at_least = 190
"""


@pytest.mark.timeout(300)  # the stack changes three times, beside whatever else the machine does
def test_an_experiment_runs_and_leaves_the_stack_as_it_was(stack: Stack, tmp_path: Path) -> None:
    """Parts with other workers, layouts and faults: each line has its verdict, and nothing of it stays."""
    (tmp_path / "mine.toml").write_text(MINE)
    mine = read(tmp_path / "mine.toml")
    chaos.change(stack.access, chaos.delay(["resize=1ms"]))
    told: list[Now] = []
    try:
        runner = Runner(stack.runtime, stack.access, told=told.append, runs=tmp_path / "runs")
        folder, found = runner.run(mine, quick=True)
        assert chaos.show(stack.access).delays_s == {"resize": 0.001}
    finally:
        chaos.change(stack.access, chaos.clear)
    assert {line.verdict for line in found.lines if line.expected} == {"ok"}, found.lines
    assert found.verdict is True
    names = [entry.name for entry in stack.runtime.instances()]
    assert [name for name in names if name.startswith(("worker", "other"))] == ["worker-1", "worker-2"]
    assert stack.runtime.environment()["LAB_PREFETCH"] == "1"
    assert newest("mine", tmp_path / "runs") == (folder, found)
    assert all((tmp_path / "runs" / ran.run / "jobs.csv").is_file() for ran in found.runs)
    assert {now.number for now in told} == {1, 2}


def test_a_stack_at_work_is_not_measured(stack: Stack, tmp_path: Path) -> None:
    """Jobs of somebody else in the queue: the experiment does not begin."""
    workers = [entry.name for entry in stack.runtime.instances() if entry.service == "worker"]
    (tmp_path / "mine.toml").write_text(MINE)
    for name in workers:
        stack.runtime.pause(name)
    try:
        for number in range(2 * len(workers) + 2):
            stack.produce(f"busy-{uuid.uuid4().hex[:8]}-{number}", 0)
        with pytest.raises(Busy):
            Runner(stack.runtime, stack.access, runs=tmp_path).run(read(tmp_path / "mine.toml"))
    finally:
        for name in workers:
            stack.runtime.resume(name)
    eventually(lambda: stack.counts().get("queued", 0) == stack.counts().get("processing", 0) == 0, 30)
