"""One stack for all acceptance tests: two workers, a project and ports of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.project import Project
from labkit.runtime.local.runtime import LocalRuntime
from labkit.stack import Options
from tests.acceptance.stack import Stack
from tests.support.ports import free_offset


@pytest.fixture(scope="session")
def whole_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start the stack once, and leave nothing of it behind."""
    root: Path = tmp_path_factory.mktemp("acceptance")
    runtime = LocalRuntime(
        Project("acceptance", root=root, port_offset=free_offset()), environ=dict(os.environ)
    )
    try:
        runtime.up(Options(counts={"worker": 2}))
        yield Stack(runtime)
    finally:
        runtime.down(delete_data=True)


@pytest.fixture
def stack(whole_stack: Stack) -> Stack:
    """Give the stack with two workers and all of it running, whatever the test before did to it."""
    whole_stack.runtime.up(Options(counts={"worker": 2}, layout="single"))
    return whole_stack
