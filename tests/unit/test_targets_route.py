"""Workers as targets of Prometheus."""

from __future__ import annotations

import json

import pytest
from starlette.requests import Request

from services.common.roster import Roster
from services.tracker.targets import MAX_TARGETS, Group, group_of, targets_route
from tests.support.examples import heartbeat


async def _targets(roster: Roster) -> list[Group]:
    scope = {"type": "http", "method": "GET", "path": "/targets", "headers": []}
    answer = await targets_route(roster).endpoint(Request(scope))
    assert answer.media_type == "application/json"
    found: list[Group] = json.loads(answer.body)
    return found


async def test_workers_that_are_heard_are_targets() -> None:
    """Each has its address, its name and the name of its service, also of a pool."""
    roster = Roster()
    roster.take(heartbeat("worker-2", url="http://127.0.0.1:4711").encode())
    roster.take(heartbeat("force_resize-1", url="http://127.0.0.1:4712").encode())
    assert await _targets(roster) == [
        {
            "targets": ["127.0.0.1:4712"],
            "labels": {"instance": "force_resize-1", "service": "force_resize"},
        },
        {"targets": ["127.0.0.1:4711"], "labels": {"instance": "worker-2", "service": "worker"}},
    ]


async def test_nobody_is_heard() -> None:
    """Without workers the list is empty, and no error: Prometheus would keep the old one."""
    assert await _targets(Roster()) == []


async def test_the_list_is_bounded() -> None:
    """A thousand workers that somebody invented do not make a thousand targets."""
    roster = Roster()
    for number in range(MAX_TARGETS + 10):
        roster.take(heartbeat(f"worker-{number}").encode())
    assert len(await _targets(roster)) == MAX_TARGETS


def test_a_container_is_found_by_its_name() -> None:
    """A worker that listens on all addresses is asked at the name of its host."""
    group = group_of(heartbeat("worker-1", url="http://0.0.0.0:8000", host="3f2a9c"))
    assert group is not None
    assert group["targets"] == ["3f2a9c:8000"]


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1", "https://127.0.0.1:1", "http://a b:1", "http://[x:1", "http://h:99999"]
)
def test_what_is_no_address_is_no_target(url: str) -> None:
    """A heartbeat comes from outside of the tracker; what Prometheus could not use is left out."""
    assert group_of(heartbeat(url=url)) is None
