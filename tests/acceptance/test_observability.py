"""A real Prometheus looks at a real stack: it follows who is scaled, it has figures, and its alerts fire."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from labkit.install.programs import find
from labkit.load.arrivals import constant
from labkit.project import Project
from labkit.runtime.local.runtime import LocalRuntime
from labkit.settings import program_settings
from labkit.stack import Options
from tests.acceptance.stack import Live, Stack, eventually, images
from tests.support.ports import free_offset
from tests.support.watching import Watch, alerts, drawn, operands, rules

# A look takes place every five seconds, and an alert waits up to 15 more.
SOON_S = 30
LATER_S = 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack of its own with Prometheus, and leave nothing of it behind."""
    if find("prometheus") is None:
        told = pytest.fail if "CI" in os.environ else pytest.skip
        told("Prometheus is not installed: `labctl doctor` says how to get it.")
    project = Project("watched", tmp_path_factory.mktemp("watched"), free_offset())
    runtime = LocalRuntime(project, environ=dict(os.environ))
    try:
        runtime.up(Options(extras={"observability": True}, settings=program_settings()))
        yield Stack(runtime)
    finally:
        runtime.down(delete_data=True)


@pytest.fixture(scope="module")
def watch(stack: Stack) -> Watch:
    """Give its Prometheus, with something to look at: three workers, two APIs, load, and a job that fails."""
    stack.runtime.scale("worker", 3)
    stack.runtime.scale("api", 2)

    def spoil(live: Live) -> None:
        live.until(lambda progress: progress.ended >= 5)
        stack.upload_cut()

    stack.send(images(28), spoil, constant(4, 28))
    return Watch(stack.runtime.address("prometheus"))


def test_who_is_scaled_is_followed(watch: Watch) -> None:
    """Three workers are three targets, though their ports are free ones, and two APIs are two."""
    one = ("tracker", "notifier", "rabbitmq", "prometheus")
    expected = {"worker": 3, "api": 2, **dict.fromkeys(one, 1)}
    names = [f"{service}-{number}" for service, count in expected.items() for number in range(1, count + 1)]
    eventually(lambda: watch.up() == sorted(names), SOON_S)


def test_each_picture_and_each_rule_has_figures(watch: Watch) -> None:
    """Under load, with a failure: all that the dashboard draws, all that alerts compare."""
    asked = {expression for _, expression in drawn()}
    asked |= {operand for alert in alerts() for operand in operands(alert["expr"])}
    asked |= {rule["record"] for rule in rules() if "record" in rule}
    assert watch.silent(asked, SOON_S) == []


def test_alerts_fire_when_their_cause_is_there(stack: Stack, watch: Watch) -> None:
    """Workers that are killed and stay down are no targets any more; the job that nobody takes is told."""
    for worker in ("worker-1", "worker-2", "worker-3"):
        stack.runtime.kill(worker, respawn=False)
    stack.produce("nobody-takes-it", 0)
    expected = {"DeadLettersWaiting", "QueueGrowsWithoutConsumers", "WorkersSilent"}
    eventually(lambda: expected <= watch.firing(), LATER_S)
    assert [name for name in watch.up() if name.startswith("worker")] == []
