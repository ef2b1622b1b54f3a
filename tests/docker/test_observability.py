"""Prometheus beside the containers that it looks at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labkit.load.arrivals import constant
from labkit.stack import Options
from tests.acceptance.stack import Live, Stack, eventually, images
from tests.support.watching import Watch, drawn

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

SOON_S = 40
# As a rule 40: two looks until a target that is gone is given up, and the alert waits for 20 s.
LATER_S = 90


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


def test_a_container_that_is_gone_is_told(stack: Stack, watch: Watch) -> None:
    """Its target goes with its name, so there is no `up` that could be 0: it is missed, and told once."""
    # Not its `up`: that may be what a Prometheus before this saw last.
    eventually(lambda: "notifier" in watch.up("service"), SOON_S)
    stack.runtime.kill("notifier-1", respawn=False)
    eventually(lambda: _down(watch) != [], LATER_S)
    assert _down(watch) == [("notifier", None)]
    assert watch.ask('up{service="notifier"}') == []


def _down(watch: Watch) -> list[tuple[str, str | None]]:
    """Return service and instance of each alert that fires."""
    found = watch.ask('ALERTS{alertname="ServiceDown", alertstate="firing"}')
    return [(sample["metric"]["service"], sample["metric"].get("instance")) for sample in found]


def _workers(watch: Watch) -> list[str]:
    found = watch.ask('program_info{program="worker"}')
    return sorted(sample["metric"]["name"] for sample in found)
