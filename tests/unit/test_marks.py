"""Marks: what was done to a stack, and when."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.control import chaos, marks
from labkit.control.faults import brought_back
from labkit.control.marks import FILE, OLDER, Mark, mark, marks_since
from labkit.project import Project
from services.common.control import Faults
from tests.support.lab import World


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Give a project that has left nothing on disk yet."""
    return Project("class", tmp_path)


def test_a_project_without_marks_has_none(project: Project) -> None:
    """Nothing was done, nothing is told."""
    assert marks_since(project, 0) == []


def test_marks_come_in_order_of_time(project: Project) -> None:
    """What took longer to be written stands where it happened."""
    mark(project, "kill", "worker-1 killed", "worker-1", at=20)
    mark(project, "scale", "worker: 1 → 3", "worker", at=10)
    assert marks_since(project, 0) == [
        Mark(10, "scale", "worker: 1 → 3", "worker"),
        Mark(20, "kill", "worker-1 killed", "worker-1"),
    ]
    assert [found.kind for found in marks_since(project, 20)] == ["kill"]


@given(at=st.floats(0, 4e9), text=st.text(max_size=50), target=st.text(max_size=20))
def test_a_mark_reads_back_as_it_was_written(at: float, text: str, target: str) -> None:
    """Whatever a text holds, a mark is one line."""
    made = Mark(at, "note", text, target)
    assert made.encode().count("\n") == 1
    assert Mark.decode(made.encode()) == made


@pytest.mark.parametrize("line", ["", "{", '{"at": 1}', "[]", "7", '{"at": "x", "kind": "", "text": ""}'])
def test_what_is_no_mark_is_left_out(project: Project, line: str) -> None:
    """Half a line, as a crash leaves it, does not hide the other marks."""
    mark(project, "note", "before", at=1)
    with (project.state_dir / FILE).open("a") as file:
        file.write(line + "\n")
    mark(project, "note", "after", at=2)
    assert [found.text for found in marks_since(project, 0)] == ["before", "after"]


def test_the_file_does_not_grow_for_ever(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its limit the file moves aside; the marks of both are found, older ones are dropped."""
    monkeypatch.setattr(marks, "LARGEST_BYTES", 1000)
    for number in range(100):
        mark(project, "note", f"note {number}", at=number)
    sizes = [(project.state_dir / name).stat().st_size for name in (FILE, OLDER)]
    assert all(size < 1100 for size in sizes)
    found = [made.text for made in marks_since(project, 0)]
    assert found == [f"note {number}" for number in range(100 - len(found), 100)]
    assert len(found) > 10


def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    """What was done is done; only its mark is missing."""
    (tmp_path / ".lab").write_text("in the way")
    assert mark(Project("class", tmp_path), "note", "done").text == "done"


def test_commands_leave_marks(tmp_path: Path) -> None:
    """Scaling, killing, freezing, restarting, faults and a change of layout are written down."""
    world = World.make(tmp_path).up(workers=1)
    commands = (
        "scale 2",
        "kill worker-1",
        "pause worker-1",
        "resume worker-1",
        "restart worker-2",
        "chaos fail-rate 0.1",
        "chaos delay convert=500ms text=1.5s",
        "chaos clear",
        "up --layout per-operation",
    )
    for command in commands:
        assert world.run(*command.split()).exit_code == 0, command
    assert [(made.kind, made.text, made.target) for made in marks_since(world.runtime.project, 0)] == [
        ("scale", "worker: 1 → 2", "worker"),
        ("kill", "worker-1 killed", "worker-1"),
        ("pause", "worker-1 paused", "worker-1"),
        ("resume", "worker-1 goes on", "worker-1"),
        ("restart", "worker-2 restarted", "worker-2"),
        ("chaos", "10% of attempts fail", ""),
        (
            "chaos",
            "10% of attempts fail; convert takes 500 ms longer; text takes 1.5 s longer",
            "",
        ),
        ("chaos", "no fault", ""),
        ("up", "layout single → per-operation", ""),
    ]


def test_coming_back_leaves_a_mark(tmp_path: Path) -> None:
    """A victim that is held down is marked when it is started again."""
    world = World.make(tmp_path).up(workers=1)
    with brought_back(world.runtime, ["worker-1"]):
        world.runtime.kill("worker-1", respawn=False)
    assert [made.text for made in marks_since(world.runtime.project, 0)] == ["worker-1 is back"]


def test_a_second_up_leaves_no_mark(tmp_path: Path) -> None:
    """Only a change of the layout is worth one."""
    world = World.make(tmp_path).up(workers=1)
    world.run("up", "--layout", "single")
    assert marks_since(world.runtime.project, 0) == []


def test_faults_in_words() -> None:
    """Each fault is a phrase."""
    found = chaos.sentences(chaos.store_latency("20ms")(chaos.clear(Faults())))
    assert found == ("each store call takes 20 ms longer",)
    assert chaos.sentences(Faults()) == ()
