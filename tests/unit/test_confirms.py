"""Publishes that wait for the broker's confirm."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.confirms import Confirms, failed
from services.common.errors import BrokerUnavailable, Unroutable


async def test_a_confirm_settles_its_publish() -> None:
    """The broker numbers publishes from 1."""
    confirms = Confirms()
    outcomes = [confirms.add("a"), confirms.add("b")]
    confirms.confirmed(2, multiple=False)
    assert [outcome.done() for outcome in outcomes] == [False, True]
    confirms.confirmed(1, multiple=False)
    await asyncio.gather(*outcomes)


async def test_one_confirm_may_settle_many() -> None:
    """A confirm with multiple settles all up to its number."""
    confirms = Confirms()
    outcomes = [confirms.add(str(number)) for number in range(5)]
    confirms.confirmed(3, multiple=True)
    assert [outcome.done() for outcome in outcomes] == [True, True, True, False, False]
    confirms.confirmed(5, multiple=True)
    await asyncio.gather(*outcomes)


async def test_a_returned_message_was_unroutable() -> None:
    """The return comes before its confirm, and fails that publish alone."""
    confirms = Confirms()
    lost, fine = confirms.add("lost"), confirms.add("fine")
    confirms.returned("lost")
    confirms.confirmed(2, multiple=True)
    with pytest.raises(Unroutable):
        await lost
    await fine


async def test_each_return_counts() -> None:
    """The same message sent twice and returned twice fails twice."""
    confirms = Confirms()
    outcomes = [confirms.add("same"), confirms.add("same")]
    confirms.returned("same")
    confirms.returned("same")
    confirms.confirmed(2, multiple=True)
    settled = await asyncio.gather(*outcomes, return_exceptions=True)
    assert [type(outcome) for outcome in settled] == [Unroutable, Unroutable]


async def test_a_return_is_used_once() -> None:
    """A message that was returned may be sent again when its queue is there."""
    confirms = Confirms()
    first = confirms.add("again")
    confirms.returned("again")
    confirms.confirmed(1, multiple=False)
    second = confirms.add("again")
    confirms.confirmed(2, multiple=False)
    with pytest.raises(Unroutable):
        await first
    await second


async def test_a_refused_publish_fails() -> None:
    """A queue that is full says so."""
    confirms = Confirms()
    outcome = confirms.add("a")
    confirms.refused(1, multiple=False)
    with pytest.raises(BrokerUnavailable, match="refused"):
        await outcome


async def test_a_lost_connection_fails_all_and_numbers_anew() -> None:
    """Nothing waits any longer, and the next channel begins at 1."""
    confirms = Confirms()
    outcomes = [confirms.add("a"), confirms.add("b")]
    confirms.lost(BrokerUnavailable("gone"))
    for outcome in outcomes:
        with pytest.raises(BrokerUnavailable, match="gone"):
            await outcome
    again = confirms.add("c")
    confirms.confirmed(1, multiple=False)
    await again


async def test_who_gave_up_waiting_is_no_trouble() -> None:
    """A confirm, a refusal or a loss that comes too late changes nothing and warns of nothing."""
    confirms = Confirms()
    late = [confirms.add(str(number)) for number in range(3)]
    for outcome in late:
        outcome.cancel()
    confirms.confirmed(1, multiple=False)
    confirms.refused(2, multiple=False)
    confirms.lost(BrokerUnavailable())
    confirms.confirmed(3, multiple=True)
    assert all(outcome.cancelled() for outcome in late)


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=40))
def test_any_confirms_settle_each_publish_at_most_once(confirmed: list[tuple[int, bool]]) -> None:
    """Repeated and unknown numbers are ignored."""

    async def settle() -> None:
        confirms = Confirms()
        outcomes = [confirms.add(str(number)) for number in range(20)]
        for tag, multiple in confirmed:
            confirms.confirmed(tag, multiple=multiple)
        upto = max((tag for tag, multiple in confirmed if multiple), default=0)
        single = {tag for tag, _ in confirmed}
        expected = [number <= upto or number in single for number in range(1, 21)]
        assert [outcome.done() for outcome in outcomes] == expected
        confirms.lost(BrokerUnavailable())

    asyncio.run(settle())


async def test_a_publish_expires() -> None:
    """What waited too long fails, what did not goes on waiting, and a late confirm is ignored."""
    confirms = Confirms()
    old = confirms.add("old")
    confirms.expire(60)
    assert not old.done()
    confirms.expire(-1)
    with pytest.raises(BrokerUnavailable, match="no confirm within"):
        await old
    young = confirms.add("young")
    confirms.confirmed(2, multiple=True)
    await young


async def test_a_publish_that_failed_before_it_was_sent_need_not_be_awaited() -> None:
    """Its outcome has the error, and nobody complains when it is dropped."""
    with pytest.raises(BrokerUnavailable):
        await failed(BrokerUnavailable("no connection"))
    failed(BrokerUnavailable("no connection"))
