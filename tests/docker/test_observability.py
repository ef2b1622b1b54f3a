"""Prometheus beside the containers that it looks at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labkit.load.arrivals import constant
from labkit.stack import Options
from tests.acceptance.stack import Live, Stack, eventually, images
from tests.support.watching import Watch, drawn

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

SOON_S = 40


@pytest.fixture
def watch(stack: Stack) -> Iterator[Watch]:
    """Give a Prometheus beside the stack; Grafana is another image, and not needed for a look."""
    stack.runtime.up(Options(extras={"observability": True}, only=("prometheus",)))
    yield Watch(stack.runtime.address("prometheus"))
    stack.runtime.up(Options(extras={"observability": False}))


def test_containers_are_followed_as_they_are_scaled(stack: Stack, watch: Watch) -> None:
    """Docker's DNS tells of a third worker, by its name too; under load each picture has its figures."""
    stack.runtime.scale("worker", 3)

    def spoil(live: Live) -> None:
        live.until(lambda progress: progress.ended >= 5)
        stack.upload_cut()

    stack.send(images(28), spoil, constant(4, 28))
    eventually(lambda: _workers(watch) == ["worker-1", "worker-2", "worker-3"], SOON_S)
    assert watch.silent((expression for _, expression in drawn()), SOON_S) == []
    stack.runtime.scale("worker", 1)
    eventually(lambda: _workers(watch) == ["worker-1"], SOON_S)


def _workers(watch: Watch) -> list[str]:
    found = watch.ask('program_info{program="worker"}')
    return sorted(sample["metric"]["name"] for sample in found)
