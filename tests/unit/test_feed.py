"""The feed of changes: what is kept, what is read from the table; nothing is missed, nothing told twice."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api import feed as feeding
from services.api.feed import AT_ONCE, Feed, Ring
from services.api.rows import Rows
from services.common.broker import Outgoing
from services.common.envelopes import changes_envelope
from services.common.errors import DatabaseUnavailable
from services.common.jobs import JobStore, Wanted
from services.common.messages import Change, Changes, JobEvent
from services.common.testing import MemoryBroker
from services.common.topology import CHANGED, EVENTS, declarations
from tests.support.examples import event, new_id
from tests.support.waiting import eventually


def change(seq: int) -> Change:
    """Return a change at this place in the order."""
    return Change(seq=seq, job_id=f"j{seq}", kind="text", status="queued", generation=1, attempt=1)


def seqs(ring: Ring, place: int) -> list[int] | None:
    """Return the places of what the ring has after one."""
    found = ring.since(place)
    return None if found is None else [told.seq for told in found]


def test_a_ring_gives_what_came_after_a_place() -> None:
    """Also after a place between two changes; nothing at the end."""
    ring = Ring(10)
    ring.add(map(change, (3, 5, 9)))
    assert [seqs(ring, place) for place in (0, 3, 4, 9, 99)] == [[3, 5, 9], [5, 9], [5, 9], [], []]


def test_a_ring_takes_each_change_once() -> None:
    """What is at or before the latest change is known already."""
    ring = Ring(10)
    ring.add(map(change, (3, 5)))
    ring.add(map(change, (4, 5, 6)))
    assert seqs(ring, 0) == [3, 5, 6]


def test_a_ring_knows_where_it_begins() -> None:
    """After a gap it has nothing for those who are behind it, and all for the others."""
    ring = Ring(10)
    ring.add([change(3)])
    ring.skip_to(7)
    ring.add([change(8)])
    assert [seqs(ring, place) for place in (3, 6, 7, 8)] == [None, None, [8], []]


@given(steps=st.lists(st.integers(1, 5), max_size=80), size=st.integers(1, 10), place=st.integers(0, 100))
def test_a_ring_is_bounded_and_whole(steps: list[int], size: int, place: int) -> None:
    """It keeps `size` changes at least and twice as many at the most, without a hole."""
    ring, added, last = Ring(size), [], 0
    for step in steps:
        last += step
        added.append(last)
        ring.add([change(last)])
    kept = seqs(ring, ring.floor)
    assert kept is not None
    assert min(size, len(added)) <= len(kept) <= 2 * size
    found = seqs(ring, place)
    assert found == ([seq for seq in added if seq > place][:AT_ONCE] if place >= ring.floor else None)


def test_a_follower_is_given_a_bounded_number_at_once() -> None:
    """However far behind it is."""
    ring = Ring(10 * AT_ONCE)
    ring.add(map(change, range(1, 3 * AT_ONCE)))
    assert len(ring.since(0) or ()) == AT_ONCE


class Gated(JobStore):
    """A job table that can be away; it counts how often changes were read."""

    away = False
    reads = 0

    def changes(self, after: int, wanted: Wanted, limit: int) -> list[Change]:
        """Read, unless it is away."""
        if self.away:
            raise DatabaseUnavailable
        self.reads += 1
        return super().changes(after, wanted, limit)


@dataclass
class Desk:
    """A feed on a job table and a broker in memory, and a tracker's hand to write with."""

    store: Gated
    broker: MemoryBroker = field(default_factory=lambda: MemoryBroker(declarations()))
    kept: int = 50

    @contextlib.asynccontextmanager
    async def feed(self) -> AsyncIterator[Feed]:
        """Run a feed that is in step."""
        rows = Rows(self.store)
        async with self.broker, Feed(self.broker, rows, kept=self.kept) as feed:
            await eventually(lambda: feed._in_step)
            yield feed
        rows.close()

    async def write(self, *jobs: str, name: JobEvent = "job.started", tell: bool = True) -> Changes:
        """Commit an event for each job, and tell of it unless that gets lost."""
        changes = self.store.apply([event(name, job) for job in jobs])
        if tell:
            await self.broker.publish(changes_envelope(changes))
        return changes


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = Gated(f"sqlite:///{tmp_path}/lab.db")
    store.create_schema()
    yield Desk(store)
    store.close()


class Follower:
    """Follows a feed, and writes down what it is told."""

    def __init__(self, feed: Feed, place: int, wanted: Wanted = feeding.ALL) -> None:
        self.seen: list[Change] = []
        self._following = asyncio.create_task(self._follow(feed, place, wanted))

    async def _follow(self, feed: Feed, place: int, wanted: Wanted) -> None:
        async for found in feed.follow(place, wanted):
            assert len(found) <= AT_ONCE
            self.seen += [told.change for told in found]

    async def jobs(self, *ids: str) -> None:
        """Wait until exactly these jobs' changes came, in this order."""
        await eventually(lambda: [change.job_id for change in self.seen] == list(ids))
        seqs = [change.seq for change in self.seen]
        assert seqs == sorted(set(seqs))

    def has_seen(self, seq: int) -> bool:
        """Tell whether this is the latest change that came."""
        return bool(self.seen) and self.seen[-1].seq == seq

    async def ended(self) -> None:
        """Wait for the end of the feed."""
        await asyncio.wait_for(self._following, 5)


def names(count: int) -> Sequence[str]:
    """Return so many ids."""
    return [new_id() for _ in range(count)]


async def test_all_followers_are_told_in_order(desk: Desk) -> None:
    """Those that began earlier, and those that begin in the middle; the table is not read for it."""
    a, b, c = names(3)
    async with desk.feed() as feed:
        early = Follower(feed, await feed.place(None))
        await desk.write(a, b)
        await early.jobs(a, b)
        late = Follower(feed, await feed.place(None))
        await desk.write(a, name="job.completed")
        await desk.write(c)
        await early.jobs(a, b, a, c)
        await late.jobs(a, c)
        assert desk.store.reads == 0


async def test_who_comes_back_gets_what_was_missed(desk: Desk) -> None:
    """From the table what is older than the feed, each job as it is now, then live, without a seam."""
    a, b, c, d = names(4)
    before = await desk.write(a, b, c)
    await desk.write(a, name="job.failed")
    async with desk.feed() as feed:
        follower = Follower(feed, before.rows[0].seq)
        await follower.jobs(b, c, a)
        assert follower.seen[-1].status == "failed"
        await desk.write(d)
        await follower.jobs(b, c, a, d)


async def test_a_long_way_is_read_in_pages(desk: Desk) -> None:
    """A first visit gets the state of all jobs, however many."""
    ids = names(2 * AT_ONCE + 50)
    await desk.write(*ids)
    async with desk.feed() as feed:
        follower = Follower(feed, 0)
        await follower.jobs(*ids)
        assert desk.store.reads == 3


async def test_a_lost_message_is_made_up_for_by_the_next(desk: Desk) -> None:
    """A commit says what came before it, so a gap is seen and read from the table."""
    a, b, c = names(3)
    async with desk.feed() as feed:
        follower = Follower(feed, await feed.place(None))
        await desk.write(a)
        await follower.jobs(a)
        await desk.write(b, tell=False)
        await desk.write(c)
        await follower.jobs(a, b, c)


async def test_a_word_of_how_far_the_table_is_closes_a_gap(desk: Desk) -> None:
    """A message without rows is enough to know that something was missed."""
    async with desk.feed() as feed:
        follower = Follower(feed, await feed.place(None))
        await desk.write("first")
        lost = await desk.write("second", tell=False)
        await desk.broker.publish(changes_envelope(Changes(after=lost.rows[-1].seq)))
        await follower.jobs("first", "second")


async def test_a_new_queue_closes_the_gap_before_it(desk: Desk) -> None:
    """The broker was away, and with it the queue of this program: the table has what was missed."""
    async with desk.feed() as feed:
        follower = Follower(feed, await feed.place(None))
        await desk.write("first")
        await follower.jobs("first")
        desk.broker.connected = False
        changes = desk.store.apply([event("job.started", "missed")])
        desk.broker.connected = True
        await follower.jobs("first", "missed")
        await desk.broker.publish(changes_envelope(changes))  # told after all
        await desk.write("third")
        await follower.jobs("first", "missed", "third")


async def test_a_feed_may_begin_before_its_broker(desk: Desk) -> None:
    """It catches up as soon as there is a connection."""
    desk.broker.connected = False
    desk.store.apply([event("job.started", "early")])
    async with Feed(desk.broker, Rows(desk.store)) as feed:
        follower = Follower(feed, 0)
        desk.broker.connected = True
        await follower.jobs("early")
        await desk.write("late")
        await follower.jobs("early", "late")


async def test_a_gap_larger_than_the_feed_keeps(desk: Desk) -> None:
    """Then each follower reads the table by itself, from its own place."""
    ids = names(3 * desk.kept)
    async with desk.feed() as feed:
        follower = Follower(feed, await feed.place(None))
        await desk.write("first")
        await follower.jobs("first")
        await desk.write(*ids, tell=False)
        await desk.write("last")
        await follower.jobs("first", *ids, "last")


async def test_a_gap_waits_for_the_table(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is told past a gap while the table does not answer, and nothing piles up."""
    monkeypatch.setattr(feeding, "RETRY_S", 0.01)
    async with desk.feed() as feed:
        follower = Follower(feed, await feed.place(None))
        await desk.write("first")
        await follower.jobs("first")
        desk.store.away = True
        await desk.write("second", tell=False)
        await desk.write("third")
        await eventually(lambda: not feed._in_step)
        await desk.write("fourth")
        await follower.jobs("first")
        desk.store.away = False
        await follower.jobs("first", "second", "third", "fourth")


async def test_bytes_that_are_no_changes_are_a_gap(desk: Desk) -> None:
    """Whatever they were to tell is in the table."""
    async with desk.feed() as feed:
        follower = Follower(feed, await feed.place(None))
        await desk.write("first")
        await desk.write("second", tell=False)
        await desk.broker.publish(Outgoing(exchange=EVENTS, routing_key=CHANGED, body=b"{", message_id="m"))
        await follower.jobs("first", "second")


async def test_only_what_is_wanted_is_told(desk: Desk) -> None:
    """Live as from the table."""
    await desk.write("a", "b", "c")
    async with desk.feed() as feed:
        failed = Follower(feed, 0, Wanted(statuses=frozenset({"failed"})))
        one = Follower(feed, 0, Wanted(job_ids=frozenset({"b"})))
        await one.jobs("b")
        await desk.write("a", "b", name="job.failed")
        await one.jobs("b", "b")
        await failed.jobs("a", "b")


async def test_a_place_that_the_table_has_not_reached_is_its_end(desk: Desk) -> None:
    """An id from elsewhere neither hides what comes nor is an error."""
    async with desk.feed() as feed:
        assert await feed.place(2**62) == 0
        written = await desk.write("first")
        assert await feed.place(2**62) == await feed.place(None) == written.rows[0].seq
        assert await feed.place(5) == 5


async def test_a_feed_that_closes_lets_its_followers_end(desk: Desk) -> None:
    """Those that wait too, and what was told before is not lost."""
    async with desk.feed() as feed:
        follower = Follower(feed, await feed.place(None))
        await desk.write("first")
        await follower.jobs("first")
        feed.close()
        await follower.ended()
        after = Follower(feed, 0)
        await after.ended()
        assert after.seen == []


async def test_many_followers_and_a_shaky_broker(desk: Desk) -> None:
    """Whenever they begin and whatever gets lost: rising order, and the last word on each job."""
    ids = names(20)
    async with desk.feed() as feed:
        followers = [Follower(feed, 0)]
        last = 0
        for number in range(120):
            name: JobEvent = ("job.started", "job.retrying", "job.failed")[number // 40]
            attempt = event(name, ids[number % 20], attempt=1 + number // 20)
            changes = desk.store.apply([attempt])
            last = changes.rows[-1].seq if changes.rows else last
            if number % 3 and desk.broker.connected:
                await desk.broker.publish(changes_envelope(changes))
            if number % 17 == 0:
                desk.broker.connected = not desk.broker.connected
            if number % 30 == 0:
                followers.append(Follower(feed, await feed.place(None if number % 60 else 0)))
            await asyncio.sleep(0)
        desk.broker.connected = True
        await desk.broker.publish(changes_envelope(Changes(after=last)))
        now = {row.job_id: row.seq for row in desk.store.changes(0, feeding.ALL, 100)}
        for follower in followers:
            await eventually(functools.partial(follower.has_seen, last))
            told = [change.seq for change in follower.seen]
            assert told == sorted(set(told))
            latest = {change.job_id: change.seq for change in follower.seen}
            assert latest.items() <= now.items()
        assert {change.job_id: change.seq for change in followers[0].seen} == now
