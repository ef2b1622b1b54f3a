"""One stack of containers for all tests of this folder: two workers, a project and ports of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.project import Project
from labkit.runtime.docker.runtime import DockerRuntime
from labkit.settings import base_environment, program_settings
from labkit.stack import Options
from tests.acceptance.stack import Stack
from tests.support.containers import left_behind
from tests.support.ports import free_offset


@pytest.fixture(scope="session")
def whole_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start the stack once, and leave nothing of it behind but its images."""
    root: Path = tmp_path_factory.mktemp("docker")
    name = f"tests-{os.getpid()}"  # others may test on the same engine
    project = Project(name, root=root, port_offset=free_offset())
    runtime = DockerRuntime(project, environ=base_environment())
    try:
        runtime.up(Options(counts={"worker": 2}, settings=program_settings()))
        yield Stack(runtime)
    finally:
        runtime.down(delete_data=True)
    assert left_behind(project) == []


@pytest.fixture
def stack(whole_stack: Stack) -> Stack:
    """Give the stack with two workers and all of it running, whatever the test before did to it."""
    whole_stack.runtime.up(Options(counts={"worker": 2}, layout="single"))
    return whole_stack


@pytest.fixture
def own_broker(stack: Stack) -> Stack:
    """Give the stack: its broker is always its own."""
    return stack
