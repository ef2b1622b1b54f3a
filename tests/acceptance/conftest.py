"""One stack for all acceptance tests: two workers, a project and ports of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.project import Project
from labkit.runtime.local.runtime import LocalRuntime
from labkit.settings import program_settings
from labkit.sns import Sender
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
        settings = {**program_settings(), **Sender.keep(root / ".lab" / "sns").settings}
        runtime.up(Options(counts={"worker": 2}, settings=settings))
        yield Stack(runtime)
    finally:
        runtime.down(delete_data=True)


@pytest.fixture
def stack(whole_stack: Stack) -> Stack:
    """Give the stack with two workers and all of it running, whatever the test before did to it."""
    whole_stack.runtime.up(Options(counts={"worker": 2}, layout="single"))
    return whole_stack


@pytest.fixture
def own_broker(stack: Stack) -> Stack:
    """Give a stack that runs its broker; one that is run by somebody else is not ours to kill."""
    if "rabbitmq-1" not in [instance.name for instance in stack.runtime.instances()]:
        pytest.skip("the broker of LAB_AMQP_URL is not ours to kill")
    return stack
