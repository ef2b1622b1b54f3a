"""What the doctor says of a stack on containers."""

from __future__ import annotations

import pytest

from labkit.doctor import flow
from labkit.doctor.project import DOCKER, Project
from tests.acceptance.stack import Stack, eventually

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]


def test_the_services_that_follow_events_are_looked_at(stack: Stack) -> None:
    """Docker's own word is taken, since their ports are inside; one that is frozen is named."""
    own = stack.runtime.project
    project = Project(own.name, own.port_offset, started=True, runtime=DOCKER)
    eventually(lambda: [line.ok for line in flow.check_flow(project)[:2]] == [True, True], 30)
    stack.runtime.pause("notifier-1")
    try:
        tracker, notifier, *_ = flow.check_flow(project)
    finally:
        stack.runtime.resume("notifier-1")
    assert tracker.ok
    assert (notifier.name, notifier.ok) == ("notifier", False)
    assert "Paused" in notifier.detail


def test_a_stack_without_containers_is_named() -> None:
    """Where somebody removed them by hand there is no container to ask."""
    found = flow.check_flow(Project("nobody", 0, runtime=DOCKER))[0]
    assert (found.ok, found.detail) == (False, "no container")
