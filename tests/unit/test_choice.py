"""Which runtime a stack gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.doctor import engine, runtimes
from labkit.doctor.check import Result, Results
from labkit.project import Project
from labkit.runtime import choice
from labkit.runtime.choice import choose, explain
from labkit.runtime.record import record_path
from labkit.settings import LabSettings

THERE = [Result("Docker", ok=True, detail="engine 28.0.1"), Result("Compose", ok=True, detail="2.40.3")]
ABSENT = [Result("Docker", ok=False, detail="not installed")]


@pytest.fixture(params=[THERE, ABSENT], ids=["with Docker", "without Docker"])
def docker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Results]:
    """Pretend that an engine answers, or that there is none."""
    choice._docker.cache_clear()
    monkeypatch.setattr(runtimes, "check_docker", lambda: request.param)
    monkeypatch.setattr(engine, "facts", lambda: engine.Facts(memory=2 * 10**9, desktop=True))
    yield request.param
    choice._docker.cache_clear()


def test_auto_takes_docker_when_it_answers(docker: Results, tmp_path: Path) -> None:
    """And says why."""
    found = choose(LabSettings(runtime="auto"), Project(root=tmp_path))
    if docker is THERE:
        assert (found.kind, found.why) == ("docker", "engine 28.0.1 with Compose 2.40.3 answers")
    else:
        assert (found.kind, found.why) == ("local", "Docker: not installed")


@pytest.mark.parametrize("kind", ["local", "docker"])
def test_who_asks_for_a_runtime_gets_it(docker: Results, tmp_path: Path, kind: str) -> None:
    """Whether Docker answers or not."""
    assert choose(LabSettings(runtime=kind), Project(root=tmp_path)).kind == kind  # type: ignore[arg-type]


def test_a_running_stack_stays_where_it_is(docker: Results, tmp_path: Path) -> None:
    """Its record wins."""
    project = Project(root=tmp_path)
    record_path(project).parent.mkdir(parents=True)
    record_path(project).write_text(json.dumps({"runtime": "local", "port_offset": 0}))
    assert choose(LabSettings(runtime="docker"), project).kind == "local"


def test_little_memory_is_said(docker: Results) -> None:
    """A Docker with less than 3 GB gets a second line, with what to do."""
    lines = explain(LabSettings(project="nowhere", runtime="auto"))
    assert lines[0].startswith("Runtime: ")
    assert lines[0].endswith("--runtime chooses.")
    if docker is THERE:
        assert "2.0 GB" in lines[1]
        assert "Settings, Resources, Memory" in lines[1]
    else:
        assert len(lines) == 1
