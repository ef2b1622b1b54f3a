"""The command `monitor`, without a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labkit.monitor.frames import Frame, read_frames
from tests.support.lab import World
from tests.support.pictures import queue, sample, worker


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a stack with two workers that is up."""
    return World.make(tmp_path).up(workers=2)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Give a recorded class of three seconds, in which a queue grows."""
    file = tmp_path / "class.jsonl"
    frames = [
        Frame(sample(at, queues=(queue(ready=10 * at),), instances=(worker(done=at),))) for at in range(3)
    ]
    file.write_text("".join(frame.encode() + "\n" for frame in frames))
    return file


def test_once_shows_the_screen(world: World) -> None:
    """`monitor --once` prints the page, all workers on it, and ends."""
    world.waiting = 3
    found = world.run("monitor", "--once")
    assert found.exit_code == 0
    assert "text.jobs" in found.output
    assert "worker-2" in found.output
    assert "backlog 3" in found.output


def test_once_as_json_is_one_object(world: World) -> None:
    """`monitor --once --json` prints one sample."""
    lines = world.run("monitor", "--once", "--json").output.splitlines()
    found = json.loads(lines[0])
    assert len(lines) == 1
    assert {entry["name"] for entry in found["instances"]} >= {"worker-1", "worker-2"}
    assert found["marks"] == []


def test_a_record_is_what_was_seen(world: World, tmp_path: Path) -> None:
    """`--record` writes each look as a line, and `--replay` shows it again."""
    file = tmp_path / "kept.jsonl"
    assert world.run("monitor", "--once", "--record", str(file)).exit_code == 0
    [*_, last] = read_frames(file)
    shown = json.loads(world.run("monitor", "--replay", str(file), "--once", "--json").output)
    assert shown["at"] == last.sample.at
    assert [entry["name"] for entry in shown["queues"]] == [entry.name for entry in last.sample.queues]


def test_a_recording_needs_no_stack(tmp_path: Path, recording: Path) -> None:
    """`--replay` prints a line for each second of the class, as fast as is asked."""
    found = World.make(tmp_path).run("monitor", "--replay", str(recording), "--speed", "1000")
    assert found.exit_code == 0
    assert [line.split(" · ")[0].split(" | ")[1] for line in found.output.splitlines()] == [
        "backlog 0",
        "backlog 10",
        "backlog 20",
    ]


def test_performance_has_its_table(tmp_path: Path, recording: Path) -> None:
    """`--performance` prints the classic columns; as JSON, one object a metric."""
    world = World.make(tmp_path)
    page = world.run("monitor", "--replay", str(recording), "--performance", "--once").output
    assert page.split()[:8] == ["metric", "unit", "current", "mean", "median", "min", "max", "stdev"]
    figures = json.loads(
        world.run("monitor", "--replay", str(recording), "--performance", "--once", "--json").output
    )
    backlog = next(figure for figure in figures if figure["metric"] == "backlog")
    assert (backlog["current"], backlog["mean"], backlog["stdev"]) == (20, 10, 10)


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    """A stack that is not up is an error with a next step."""
    found = World.make(tmp_path).run("monitor", "--once")
    assert found.exit_code == 1
    assert "not up" in found.output


def test_a_bad_recording_is_a_clear_error(tmp_path: Path) -> None:
    """A file that is no recording is named."""
    file = tmp_path / "notes.txt"
    file.write_text("hello\nworld\n")
    found = World.make(tmp_path).run("monitor", "--replay", str(file))
    assert found.exit_code == 1
    assert "no sample" in found.output
