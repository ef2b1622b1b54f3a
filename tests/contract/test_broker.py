"""The contract of the broker seam, held by the in-memory body and by RabbitMQ: publishing and consuming."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from services.common.errors import BrokerUnavailable, Unroutable
from services.common.topology import DEAD_LETTER
from tests.support.brokers import Inbox, Seam, ready
from tests.support.topologies import WORK
from tests.support.waiting import eventually


async def test_a_message_arrives_as_it_was_sent(seam: Seam) -> None:
    """A delivery carries the body and all that travels with it."""
    async with seam.open() as broker:
        inbox = Inbox()
        await broker.consume(seam.topology.name(WORK), inbox, prefetch=1)
        sent = seam.message(body=b'{"a": 1}')
        await broker.publish(sent)
        await eventually(lambda: len(inbox) == 1)
        got = inbox.deliveries[0]
        assert (got.body, got.message_id, got.routing_key) == (sent.body, sent.message_id, WORK)
        assert (got.queue, got.exchange) == (seam.topology.name(WORK), sent.exchange)
        assert (got.redelivered, got.delivery_count, got.priority) == (False, 0, 0)


async def test_headers_and_priority_travel_along(seam: Seam) -> None:
    """What a publisher writes beside the body reaches the consumer."""
    async with seam.open() as broker:
        inbox = Inbox()
        await broker.consume(seam.topology.name(WORK), inbox, prefetch=1)
        headers = {"reason": "permanent", "attempt": 3}
        message = replace(seam.message(), headers=headers, priority=7)
        await broker.publish(message)
        await eventually(lambda: len(inbox) == 1)
        got = inbox.deliveries[0]
        assert (got.headers["reason"], got.headers["attempt"], got.priority) == ("permanent", 3, 7)


async def test_an_acknowledged_message_is_gone(seam: Seam) -> None:
    """After the acknowledgement nobody gets the message again."""
    async with seam.open() as broker:
        first, second = Inbox(), Inbox()
        subscription = await broker.consume(seam.topology.name(WORK), first, prefetch=1)
        await broker.publish(seam.message(body=b"1"))
        await eventually(lambda: len(first) == 1)
        await subscription.cancel()
        await broker.consume(seam.topology.name(WORK), second, prefetch=1)
        await broker.publish(seam.message(body=b"2"))
        await eventually(lambda: len(second) == 1)
        assert (first.bodies, second.bodies) == ([b"1"], [b"2"])


async def test_prefetch_bounds_what_is_in_hand(seam: Seam) -> None:
    """With prefetch 2 the third message waits for an acknowledgement."""
    async with seam.open() as broker:
        queue, inbox = seam.topology.name(WORK), Inbox(acks=False)
        for number in range(5):
            await broker.publish(seam.message(body=b"%d" % number))
        await broker.consume(queue, inbox, prefetch=2)
        await eventually(lambda: len(inbox) == 2)
        await ready(broker, queue, 3)
        inbox.deliveries[0].ack()
        await eventually(lambda: len(inbox) == 3)
        await ready(broker, queue, 2)
        assert inbox.bodies == [b"0", b"1", b"2"]
        for delivery in inbox.deliveries[1:]:
            delivery.ack()


async def test_prefetch_zero_hands_out_everything(seam: Seam) -> None:
    """Without a limit one consumer gets all there is."""
    async with seam.open() as broker:
        inbox = Inbox(acks=False)
        for number in range(20):
            await broker.publish(seam.message(body=b"%d" % number))
        await broker.consume(seam.topology.name(WORK), inbox, prefetch=0)
        await eventually(lambda: len(inbox) == 20)
        for delivery in inbox.deliveries:
            delivery.ack()


async def test_order_is_kept(seam: Seam) -> None:
    """Publishes that do not wait for each other arrive in the order in which they began."""
    async with seam.open() as broker:
        inbox = Inbox()
        await broker.consume(seam.topology.name(WORK), inbox, prefetch=50)
        bodies = [b"%d" % number for number in range(300)]
        await asyncio.gather(*(broker.publish(seam.message(body=body)) for body in bodies))
        await eventually(lambda: len(inbox) == 300)
        assert inbox.bodies == bodies


async def test_consumers_of_a_queue_share_its_messages(seam: Seam) -> None:
    """Two consumers take turns, and each message goes to one of them."""
    async with seam.open() as broker:
        inboxes = (Inbox(), Inbox())
        for inbox in inboxes:
            await broker.consume(seam.topology.name(WORK), inbox, prefetch=1)
        for number in range(20):
            await broker.publish(seam.message(body=b"%d" % number))
        await eventually(lambda: sum(map(len, inboxes)) == 20)
        assert all(len(inbox) > 1 for inbox in inboxes)
        assert sorted(inboxes[0].bodies + inboxes[1].bodies, key=int) == [b"%d" % n for n in range(20)]


async def test_a_mandatory_message_without_a_queue_is_refused(seam: Seam) -> None:
    """A publisher learns that no queue took its message."""
    async with seam.open() as broker:
        with pytest.raises(Unroutable):
            await broker.publish(seam.message(key="nobody.listens"))
        await broker.publish(seam.message())


async def test_each_copy_of_an_unroutable_message_is_refused(seam: Seam) -> None:
    """Two publishes of the same message are told apart, even when both are under way."""
    async with seam.open() as broker:
        twice = (broker.publish(seam.message(key="nobody.listens")) for _ in range(2))
        outcomes = await asyncio.gather(*twice, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unroutable, Unroutable]


async def test_other_messages_without_a_queue_are_dropped(seam: Seam) -> None:
    """A message that nobody must get is confirmed and forgotten."""
    async with seam.open() as broker:
        message = seam.message(key="worker.heartbeat", exchange="lab.events")
        await broker.publish(replace(message, mandatory=False))


async def test_listeners_each_get_a_copy(seam: Seam) -> None:
    """Who listens takes nothing away from others, and gets only the keys it asked for."""
    async with seam.open() as broker:
        events, tracker = seam.topology.name("lab.events"), Inbox()
        one, two = Inbox(), Inbox()
        await broker.listen(events, ("job.completed",), one)
        await broker.listen(events, ("job.#",), two)
        await broker.consume(seam.topology.name("tracker.events"), tracker, prefetch=10)
        for key in ("job.started", "job.completed"):
            await broker.publish(seam.message(key=key, body=key.encode(), exchange="lab.events"))
        await eventually(lambda: (len(one), len(two), len(tracker)) == (1, 2, 2))
        assert one.bodies == [b"job.completed"]
        assert two.bodies == tracker.bodies == [b"job.started", b"job.completed"]


async def test_listening_may_begin_before_the_connection(seam: Seam) -> None:
    """It begins with the connection then."""
    async with seam.begun() as broker:
        events, inbox = seam.topology.name("lab.events"), Inbox()
        made: list[str] = []
        await broker.listen(events, ("job.#",), inbox, made=lambda: made.append("now"))
        assert made == []
        await seam.connect(broker)
        assert made == ["now"]
        await broker.publish(seam.message(key="job.started", exchange="lab.events"))
        await eventually(lambda: len(inbox) == 1)


async def test_a_listener_is_told_when_its_queue_is_made(seam: Seam) -> None:
    """What is published from then on is not missed."""
    async with seam.open() as broker:
        made: list[str] = []
        keys = ("job.#",)
        await broker.listen(seam.topology.name("lab.events"), keys, Inbox(), made=lambda: made.append("now"))
        assert made == ["now"]


async def test_depth_tells_messages_and_consumers(seam: Seam) -> None:
    """The numbers are those of this moment."""
    async with seam.open() as broker:
        queue = seam.topology.name(WORK)
        empty = await broker.depth(queue)
        assert (empty.ready, empty.consumers) == (0, 0)
        await broker.publish(seam.message())
        await ready(broker, queue, 1)
        subscription = await broker.consume(queue, Inbox(), prefetch=1)
        assert (await broker.depth(queue)).consumers == 1
        await subscription.cancel()
        assert (await broker.depth(queue)).consumers == 0
        await ready(broker, queue, 0)


async def test_purge_drops_what_isready(seam: Seam) -> None:
    """Purging says how many messages went."""
    async with seam.open() as broker:
        queue = seam.topology.name(WORK)
        for number in range(3):
            await broker.publish(seam.message(body=b"%d" % number))
        await ready(broker, queue, 3)
        assert await broker.purge(queue) == 3
        assert (await broker.depth(queue)).ready == 0


async def test_a_missing_queue_is_an_error_of_the_one_who_asks(seam: Seam) -> None:
    """Asking for a queue that is not there fails, and leaves the connection and its consumers alone."""
    async with seam.open() as broker:
        inbox = Inbox()
        await broker.consume(seam.topology.name(WORK), inbox, prefetch=1)
        await broker.delete(seam.topology.name(DEAD_LETTER))
        with pytest.raises(BrokerUnavailable):
            await broker.depth(seam.topology.name(DEAD_LETTER))
        with pytest.raises(BrokerUnavailable):
            await broker.purge(seam.topology.name(DEAD_LETTER))
        with pytest.raises(BrokerUnavailable):
            await broker.consume(seam.topology.name(DEAD_LETTER), Inbox(), prefetch=1)
        await broker.publish(seam.message())
        await eventually(lambda: len(inbox) == 1)


async def test_cancel_stops_new_deliveries(seam: Seam) -> None:
    """A cancelled consumer gets nothing more, and can still acknowledge what it has."""
    async with seam.open() as broker:
        queue, inbox = seam.topology.name(WORK), Inbox(acks=False)
        subscription = await broker.consume(queue, inbox, prefetch=1)
        await broker.publish(seam.message(body=b"1"))
        await eventually(lambda: len(inbox) == 1)
        await subscription.cancel()
        await broker.publish(seam.message(body=b"2"))
        inbox.deliveries[0].ack()
        await ready(broker, queue, 1)
        rest = Inbox()
        await broker.consume(queue, rest, prefetch=10)
        await eventually(lambda: len(rest) == 1)
        assert (inbox.bodies, rest.bodies) == ([b"1"], [b"2"])


async def test_a_queue_can_be_read_on_demand(seam: Seam) -> None:
    """A reader takes what it settles; the rest is back in its order when the reader leaves."""
    async with seam.open() as broker:
        queue = seam.topology.name(DEAD_LETTER)
        for number in range(3):
            await broker.publish(seam.message(key="", body=b"%d" % number, exchange="lab.dead"))
        await ready(broker, queue, 3)
        async with broker.reading(queue) as reader:
            read = [await reader.next() for _ in range(4)]
            bodies = [delivery and delivery.body for delivery in read]
            assert bodies == [b"0", b"1", b"2", None]
            assert read[1] is not None
            read[1].ack()
            read[1].ack()
        await ready(broker, queue, 2)
        inbox = Inbox()
        await broker.consume(queue, inbox, prefetch=10)
        await eventually(lambda: len(inbox) == 2)
        assert inbox.bodies == [b"0", b"2"]
        assert all(delivery.redelivered for delivery in inbox.deliveries)


async def test_a_queue_given_as_data_is_declared_first(seam: Seam) -> None:
    """A consumer may bring a queue that is not part of the topology."""
    async with seam.open() as broker:
        own = seam.topology.queue("notifier.events")
        await broker.delete(own.name)
        inbox = Inbox()
        await broker.consume(own, inbox, prefetch=1)
        await broker.publish(seam.message(key="job.failed", exchange="lab.events"))
        await eventually(lambda: len(inbox) == 1)


async def test_what_is_read_and_not_settled_goes_back(seam: Seam) -> None:
    """Reading takes messages in their order; at its end they lie in the queue as before."""
    queue = seam.topology.name(WORK)
    async with seam.open() as broker:
        for body in (b"1", b"2"):
            await broker.publish(seam.message(body=body))
        async with broker.reading(queue) as reader:
            found = [await reader.next(), await reader.next(), await reader.next()]
            assert [delivery and delivery.body for delivery in found] == [b"1", b"2", None]
        await ready(broker, queue, 2)


async def test_what_is_read_and_acknowledged_is_gone(seam: Seam) -> None:
    """One message can be taken out from between others."""
    queue = seam.topology.name(WORK)
    async with seam.open() as broker:
        for body in (b"1", b"2", b"3"):
            await broker.publish(seam.message(body=body))
        async with broker.reading(queue) as reader:
            while (delivery := await reader.next()) is not None:
                if delivery.body == b"2":
                    delivery.ack()
        await ready(broker, queue, 2)
