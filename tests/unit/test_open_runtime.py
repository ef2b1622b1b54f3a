"""Which runtime, and which ports, a command gets."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path

import pytest

import labkit.runtime
from labkit.project import Project
from labkit.runtime import open_runtime
from labkit.runtime.record import keep_offset, record_path
from labkit.settings import LabSettings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Give a project of its own; nothing about ports is in the environment."""
    monkeypatch.delenv("LAB_PORT_OFFSET", raising=False)
    monkeypatch.setattr(labkit.runtime, "Project", functools.partial(Project, root=tmp_path))
    made = Project("red", tmp_path)
    made.state_dir.mkdir(parents=True)
    return made


def test_a_project_keeps_its_ports_after_down(project: Project) -> None:
    """The next `up` has the ports of the last one; an offset that is chosen wins, also 0."""
    assert open_runtime(LabSettings(project="red")).project.port_offset == 0
    keep_offset(replace(project, port_offset=300))
    assert open_runtime(LabSettings(project="red")).project.port_offset == 300
    assert open_runtime(LabSettings(project="red", port_offset=0)).project.port_offset == 0
    assert open_runtime(LabSettings(project="blue")).project.port_offset == 0


def test_a_stack_that_died_gives_its_ports_too(project: Project) -> None:
    """Its record is still there, and `up` cleans up and starts it where it was."""
    record_path(project).write_text(json.dumps({"runtime": "local", "port_offset": 400}))
    assert open_runtime(LabSettings(project="red")).project.port_offset == 400
