"""Who is heard, and for how long."""

from __future__ import annotations

from services.common.envelopes import heartbeat_envelope
from services.common.roster import ListeningRoster, Roster
from services.common.testing import MemoryBroker
from services.common.topology import declarations
from tests.support.examples import heartbeat
from tests.support.waiting import eventually


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Say what time it is."""
        return self.now


def test_the_newest_heartbeat_counts() -> None:
    """A worker stands on the roster once, as it was heard last, and with the time since then."""
    clock = Clock()
    roster = Roster(5, clock)
    roster.take(heartbeat("worker-1", done=1).encode())
    clock.now += 1
    roster.take(heartbeat("worker-1", done=2).encode())
    clock.now += 2
    [heard] = roster.present()
    assert (heard.beat.done, heard.silent_s) == (2, 2)


def test_the_silent_leave() -> None:
    """Who was not heard for so long is gone, and comes back with the next beat."""
    clock = Clock()
    roster = Roster(5, clock)
    roster.take(heartbeat("worker-1").encode())
    clock.now += 4.9
    roster.take(heartbeat("worker-2").encode())
    assert names(roster) == ["worker-1", "worker-2"]
    clock.now += 0.1
    assert names(roster) == ["worker-2"]
    roster.take(heartbeat("worker-1").encode())
    assert names(roster) == ["worker-1", "worker-2"]


def test_numbers_are_in_the_order_of_numbers() -> None:
    """worker-2 stands before worker-10, and pools stand together."""
    roster = Roster()
    for name in ("worker-10", "resize-1", "worker-2", "7"):
        roster.take(heartbeat(name).encode())
    assert names(roster) == ["7", "resize-1", "worker-2", "worker-10"]


def test_what_is_no_heartbeat_is_left_out() -> None:
    """Bytes that nobody can read change nothing."""
    roster = Roster()
    assert roster.take(b"{") is None
    assert roster.present() == []


async def test_a_broker_is_listened_to() -> None:
    """Two programs hear the same beats, each by itself."""
    async with (
        MemoryBroker(declarations()) as broker,
        ListeningRoster(broker) as one,
        ListeningRoster(broker) as two,
    ):
        beat = heartbeat("worker-1", job_ids=("a",))
        await broker.publish(heartbeat_envelope(beat))
        for roster in (one, two):
            await eventually(roster.present)
            assert [heard.beat for heard in roster.present()] == [beat]


def names(roster: Roster) -> list[str]:
    """Return who is heard."""
    return [heard.beat.instance for heard in roster.present()]
