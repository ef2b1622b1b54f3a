"""The contract of the broker seam: what comes back, how often, and what ends in the dead letters."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from services.common import dead_letters
from services.common.broker import Delivery
from services.common.topology import DEAD_LETTER
from tests.support.brokers import Inbox, Seam, ready
from tests.support.topologies import DELAY_MS, LIMIT, RETRY, WORK
from tests.support.waiting import eventually


async def test_a_requeued_message_counts_its_deliveries(seam: Seam) -> None:
    """Each redelivery is marked, and counted from the first one on."""
    async with seam.open() as broker:
        seen: list[tuple[int, bool]] = []

        async def handler(delivery: Delivery) -> None:
            seen.append((delivery.delivery_count, delivery.redelivered))
            if len(seen) < 3:
                delivery.reject(requeue=True)
            else:
                delivery.ack()

        await broker.consume(seam.topology.name(WORK), handler, prefetch=1)
        await broker.publish(seam.message())
        await eventually(lambda: len(seen) == 3)
        assert seen == [(0, False), (1, True), (2, True)]


async def test_a_count_that_a_publisher_made_up_is_not_believed(seam: Seam) -> None:
    """A header that only looks like the broker's own neither counts nor breaks the consumer."""
    async with seam.open() as broker:
        inbox = Inbox()
        await broker.consume(seam.topology.name(WORK), inbox, prefetch=1)
        for made_up in (7, "many"):
            await broker.publish(replace(seam.message(), headers={"x-delivery-count": made_up}))
        await eventually(lambda: len(inbox) == 2)
        assert [delivery.delivery_count for delivery in inbox.deliveries] == [0, 0]


async def test_the_delivery_limit_dead_letters(seam: Seam) -> None:
    """A message that comes back too often goes to the dead-letter queues, with the reason."""
    async with seam.open() as broker:
        deliveries, dead = Inbox(acks=False), Inbox()
        await broker.consume(seam.topology.name(DEAD_LETTER), dead, prefetch=1)

        async def handler(delivery: Delivery) -> None:
            await deliveries(delivery)
            delivery.reject(requeue=True)

        await broker.consume(seam.topology.name(WORK), handler, prefetch=1)
        await broker.publish(seam.message(body=b"poison"))
        await eventually(lambda: len(dead) == 1)
        assert len(deliveries) == LIMIT + 1
        letter = dead_letters.read(dead.deliveries[0], spent=0, now=1.0)
        assert (letter.reason, letter.origin) == (dead_letters.CRASHED, seam.topology.name(WORK))
        assert dead.deliveries[0].message_id == "poison"


async def test_dead_letters_go_to_both_queues(seam: Seam) -> None:
    """People see a dead letter in one queue, the tracker gets it from another."""
    async with seam.open() as broker:
        inboxes = (Inbox(), Inbox())
        await broker.consume(seam.topology.name(DEAD_LETTER), inboxes[0], prefetch=1)
        await broker.consume(seam.topology.name("tracker.dead"), inboxes[1], prefetch=1)
        await broker.publish(seam.message(key="anything", body=b"dead", exchange="lab.dead"))
        await eventually(lambda: all(len(inbox) == 1 for inbox in inboxes))


async def test_a_rejected_message_is_dead_lettered_at_once(seam: Seam) -> None:
    """Without requeue a message leaves its queue after one delivery."""
    async with seam.open() as broker:
        dead = Inbox()

        async def handler(delivery: Delivery) -> None:
            delivery.reject(requeue=False)

        await broker.consume(seam.topology.name(DEAD_LETTER), dead, prefetch=1)
        await broker.consume(seam.topology.name(WORK), handler, prefetch=1)
        await broker.publish(seam.message())
        await eventually(lambda: len(dead) == 1)
        assert dead_letters.read(dead.deliveries[0], spent=0, now=1.0).reason == "rejected"


async def test_a_handler_that_fails_gives_its_message_back(seam: Seam) -> None:
    """An exception in a handler counts as a delivery; at the limit the message is dead-lettered."""
    async with seam.open() as broker:
        deliveries, dead = Inbox(acks=False), Inbox()

        async def handler(delivery: Delivery) -> None:
            await deliveries(delivery)
            raise RuntimeError("a bug in a handler")

        await broker.consume(seam.topology.name(DEAD_LETTER), dead, prefetch=1)
        await broker.consume(seam.topology.name(WORK), handler, prefetch=1)
        await broker.publish(seam.message())
        await eventually(lambda: len(dead) == 1)
        assert [delivery.delivery_count for delivery in deliveries.deliveries] == [0, 1, 2]


async def test_only_the_first_settlement_counts(seam: Seam) -> None:
    """A handler that fails after its acknowledgement harms neither its consumer nor its message."""
    async with seam.open() as broker:
        queue, inbox = seam.topology.name(WORK), Inbox()

        async def handler(delivery: Delivery) -> None:
            await inbox(delivery)
            raise RuntimeError("too late to matter")

        await broker.consume(queue, handler, prefetch=1)
        for number in range(3):
            await broker.publish(seam.message(body=b"%d" % number))
        await eventually(lambda: len(inbox) == 3)
        await ready(broker, queue, 0)
        await broker.publish(seam.message(body=b"3"))
        await eventually(lambda: len(inbox) == 4)
        assert inbox.bodies == [b"0", b"1", b"2", b"3"]


async def test_a_retry_queue_hands_back_after_its_delay(seam: Seam) -> None:
    """A message in a retry queue returns to its work queue when its time is up, not before."""
    async with seam.open() as broker:
        inbox, loop = Inbox(), asyncio.get_running_loop()
        await broker.consume(seam.topology.name(WORK), inbox, prefetch=1)
        begun = loop.time()
        await broker.publish(seam.message(key=RETRY, body=b"again"))
        await eventually(lambda: len(inbox) == 1)
        assert loop.time() - begun >= DELAY_MS / 1000
        got = inbox.deliveries[0]
        assert (got.body, got.message_id, got.routing_key) == (b"again", "again", WORK)
        assert got.delivery_count == 0


async def test_a_retried_message_that_crashes_its_workers_dies_of_that(seam: Seam) -> None:
    """The last death is what counts: an earlier stay in a retry queue does not hide the delivery limit."""
    async with seam.open() as broker:
        dead = Inbox()

        async def handler(delivery: Delivery) -> None:
            delivery.reject(requeue=True)

        await broker.consume(seam.topology.name(DEAD_LETTER), dead, prefetch=1)
        await broker.consume(seam.topology.name(WORK), handler, prefetch=1)
        await broker.publish(seam.message(key=RETRY))
        await eventually(lambda: len(dead) == 1)
        letter = dead_letters.read(dead.deliveries[0], spent=1, now=1.0)
        assert (letter.reason, letter.origin) == (dead_letters.CRASHED, seam.topology.name(WORK))


async def test_a_nack_gives_back_at_once(seam: Seam) -> None:
    """The message comes again, marked as delivered before."""
    async with seam.open() as broker:
        seen: list[bool] = []

        async def handler(delivery: Delivery) -> None:
            seen.append(delivery.redelivered)
            if len(seen) < 2:
                delivery.nack()
            else:
                delivery.ack()

        await broker.consume(seam.topology.name(WORK), handler, prefetch=1)
        await broker.publish(seam.message())
        await eventually(lambda: len(seen) == 2)
        assert seen == [False, True]
