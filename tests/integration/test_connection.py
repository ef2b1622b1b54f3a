"""What becomes of programs when the connection to RabbitMQ breaks, in every way it can."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

import pytest

from services.common.amqp import AmqpBroker
from services.common.errors import BrokerUnavailable
from services.common.health import broker_check
from services.common.topology import Declarations
from tests.support.backing import Backing
from tests.support.brokers import READY_S, Inbox, Seam
from tests.support.proxy import Proxy, proxy_to
from tests.support.topologies import WORK
from tests.support.waiting import eventually


@pytest.fixture
def seam(backing: Backing) -> Seam:
    """Give a private topology on the real broker."""
    return Seam(backing.amqp_url)


@contextlib.asynccontextmanager
async def _through_a_proxy(
    seam: Seam, confirm_timeout_s: float = 10.0
) -> AsyncIterator[tuple[AmqpBroker, Proxy]]:
    proxy = proxy_to(seam.url)
    async with proxy.listening():
        try:
            async with seam.amqp(proxy.url(seam.url), confirm_timeout_s) as broker:
                await broker.ready(READY_S)
                yield broker, proxy
        finally:
            await seam.remove()


async def _again(broker: AmqpBroker) -> None:
    """Wait until the broker noticed the loss and is connected again."""
    await eventually(lambda: not broker.connected)
    await broker.ready(READY_S)


async def test_a_cut_connection_comes_back_with_its_consumers(seam: Seam) -> None:
    """After a cut the program connects again by itself and goes on to consume and publish."""
    async with _through_a_proxy(seam) as (broker, proxy):
        inbox = Inbox()
        await broker.consume(seam.topology.name(WORK), inbox, prefetch=1)
        proxy.cut()
        await _again(broker)
        await broker.publish(seam.message(body=b"after"))
        await eventually(lambda: len(inbox) == 1)
        assert (await broker.depth(seam.topology.name(WORK))).consumers == 1


def _frame(method: int, content: bytes = b"") -> bytes:
    """Return a frame of AMQP 0-9-1: method `method` of the class connection, on channel 0."""
    payload = struct.pack(">HH", 10, method) + content
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


async def test_a_broker_that_takes_no_messages_says_why(seam: Seam) -> None:
    """Out of disk or memory it says so, and again when there is room; a new connection begins without."""
    async with _through_a_proxy(seam) as (broker, proxy):
        to_client = proxy.links[0].writers[0]
        to_client.write(_frame(60, b"\x0blow on disk"))
        await eventually(lambda: broker.blocked == "low on disk")
        with pytest.raises(BrokerUnavailable, match="low on disk"):
            await broker_check(broker)()
        to_client.write(_frame(61))
        await eventually(lambda: not broker.blocked)
        to_client.write(_frame(60, b"\x0blow on disk"))
        await eventually(lambda: bool(broker.blocked))
        proxy.cut()
        await _again(broker)
        assert not broker.blocked


async def test_a_connection_closed_by_the_server_comes_back(seam: Seam) -> None:
    """A close that RabbitMQ asks for is no end either."""
    async with _through_a_proxy(seam) as (broker, _):
        inbox = Inbox()
        await broker.consume(seam.topology.name(WORK), inbox, prefetch=1)
        with pytest.raises(BrokerUnavailable):
            async with broker._channel() as channel:
                # An unknown type of exchange is an error of the whole connection: 503 COMMAND_INVALID.
                await channel.call("exchange_declare", exchange="test.odd", exchange_type="odd")
        await _again(broker)
        await broker.publish(seam.message())
        await eventually(lambda: len(inbox) == 1)


async def test_a_listener_comes_back(seam: Seam) -> None:
    """A listener's queue went with the connection; the next connection has a new one, and it is told so."""
    async with _through_a_proxy(seam) as (broker, proxy):
        inbox, made = Inbox(), 0

        def count() -> None:
            nonlocal made
            made += 1

        await broker.listen(seam.topology.name("lab.events"), ("job.#",), inbox, made=count)
        assert made == 1
        proxy.cut()
        await _again(broker)
        assert made == 2
        await broker.publish(seam.message(key="job.failed", exchange="lab.events"))
        await eventually(lambda: len(inbox) == 1)


async def test_a_consumer_whose_channel_the_server_closed_comes_back(seam: Seam) -> None:
    """A channel that RabbitMQ closes, as it does for a job held too long, does not leave a deaf program."""
    async with _through_a_proxy(seam) as (broker, _):
        inbox = Inbox(acks=False)
        await broker.consume(seam.topology.name(WORK), inbox, prefetch=1)
        await broker.publish(seam.message(body=b"1"))
        await eventually(lambda: len(inbox) == 1)
        subscription = broker._subscriptions[0]
        assert subscription._channel is not None
        # Acknowledging what was never delivered is an error of the channel: 406 PRECONDITION_FAILED.
        subscription._channel.raw.basic_ack(999)
        await eventually(lambda: len(inbox) == 2)
        assert (inbox.deliveries[1].body, inbox.deliveries[1].redelivered) == (b"1", True)
        inbox.deliveries[1].ack()


async def test_a_publisher_whose_channel_the_server_closed_comes_back(seam: Seam) -> None:
    """Publishing to an exchange that is gone fails; the next publish works again."""
    async with _through_a_proxy(seam) as (broker, _):
        with pytest.raises(BrokerUnavailable):
            await broker.publish(seam.message(exchange="no.such.exchange"))
        await broker.ready(READY_S)
        await broker.publish(seam.message())


async def test_a_queue_deleted_under_its_consumer_is_declared_again(seam: Seam) -> None:
    """When somebody deletes a work queue, the programs that use it put it back."""
    async with _through_a_proxy(seam) as (broker, _):
        inbox = Inbox()
        await broker.consume(seam.topology.name(WORK), inbox, prefetch=1)
        await _delete_from_outside(seam)
        await _again(broker)
        await broker.publish(seam.message())
        await eventually(lambda: len(inbox) == 1)


async def test_a_server_that_does_not_answer_is_left_for_a_new_connection(seam: Seam) -> None:
    """A close without an answer is given up after a while, and cannot break what came after it."""
    async with _through_a_proxy(seam) as (broker, proxy):
        await broker.consume(seam.topology.name(WORK), Inbox(), prefetch=1)
        old = proxy.links[0]
        old.hold("up")
        await _delete_from_outside(seam)
        await eventually(lambda: len(proxy.links) == 2)
        await broker.ready(READY_S)
        await eventually(lambda: broker.connected)
        old.cut()
        for _ in range(20):
            await broker.publish(seam.message())
        assert len(proxy.links) == 2


async def test_pending_publishes_fail_at_once(seam: Seam) -> None:
    """When the connection breaks, nobody waits for a confirm until its time is up."""
    async with _through_a_proxy(seam, confirm_timeout_s=60) as (broker, proxy):
        proxy.links[0].hold("down")
        publishes = [broker.publish(seam.message()) for _ in range(10)]
        await eventually(lambda: proxy.links[0].waiting["down"] > 0)
        proxy.cut()
        async with asyncio.timeout(5):
            outcomes = await asyncio.gather(*publishes, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {BrokerUnavailable}


async def test_a_publish_without_its_confirm_fails_in_time(seam: Seam) -> None:
    """A broker that does not confirm leaves the outcome unknown, and the publisher is told so."""
    async with _through_a_proxy(seam, confirm_timeout_s=0.2) as (broker, proxy):
        proxy.links[0].hold("down")
        with pytest.raises(BrokerUnavailable, match=r"no confirm within 0.2 s"):
            await broker.publish(seam.message())
        proxy.links[0].release()
        await eventually(lambda: proxy.links[0].waiting["down"] == 0)
        await broker.publish(seam.message())


async def test_without_a_connection_nothing_is_sent(seam: Seam) -> None:
    """Publishing and asking fail at once while there is no broker."""
    proxy = proxy_to(seam.url)
    async with proxy.listening():
        pass
    async with seam.amqp(proxy.url(seam.url)) as broker:
        with pytest.raises(BrokerUnavailable):
            await broker.publish(seam.message())
        with pytest.raises(BrokerUnavailable):
            await broker.depth(seam.topology.name(WORK))
        with pytest.raises(BrokerUnavailable, match=r"did not answer within 0.1 s"):
            await broker.ready(0.1)


async def test_a_program_may_start_before_its_broker(seam: Seam) -> None:
    """Consumers that were asked for before the broker was there work once it is."""
    proxy = proxy_to(seam.url)
    async with proxy.listening():
        pass
    try:
        async with seam.amqp(proxy.url(seam.url)) as broker:
            inbox = Inbox()
            await broker.consume(seam.topology.name(WORK), inbox, prefetch=1)
            async with proxy.listening():
                await broker.ready(READY_S)
                await broker.publish(seam.message())
                await eventually(lambda: len(inbox) == 1)
    finally:
        await seam.remove()


async def test_a_consumer_that_starts_while_the_connection_breaks_starts_once(seam: Seam) -> None:
    """The break is noticed at once, and the next connection has the consumer, a single one."""
    async with _through_a_proxy(seam) as (broker, proxy):
        inbox = Inbox()
        proxy.links[0].hold("down")
        starting = asyncio.create_task(broker.consume(seam.topology.name(WORK), inbox, prefetch=10))
        await eventually(lambda: proxy.links[0].waiting["down"] > 0)
        proxy.cut()
        async with asyncio.timeout(5):
            await starting
        await broker.ready(READY_S)
        assert (await broker.depth(seam.topology.name(WORK))).consumers == 1
        await broker.publish(seam.message())
        await eventually(lambda: len(inbox) == 1)


async def test_a_consumer_cancelled_while_it_starts_gets_nothing(seam: Seam) -> None:
    """Cancelling during a reconnect holds: the new connection has no such consumer."""
    async with _through_a_proxy(seam) as (broker, proxy):
        subscription = await broker.consume(seam.topology.name(WORK), Inbox(), prefetch=10)
        await broker.listen(seam.topology.name("lab.events"), ("job.#",), Inbox())
        proxy.cut()
        await eventually(lambda: len(proxy.links) == 2)
        await eventually(lambda: subscription._channel is not None and subscription._channel.raw.is_open)
        await subscription.cancel()
        await broker.ready(READY_S)

        async def alone() -> bool:
            return (await broker.depth(seam.topology.name(WORK))).consumers == 0

        await eventually(alone)


async def test_leaving_while_nothing_answers_leaves_nothing_behind(seam: Seam) -> None:
    """A program can end while its broker accepts connections and says nothing."""
    greeted, ended = asyncio.Event(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(8) == b"AMQP\x00\x00\x09\x01"
        greeted.set()
        assert await reader.read() == b""
        writer.close()
        ended.set()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(5):
            async with seam.amqp(f"amqp://guest:guest@127.0.0.1:{port}/"):
                await greeted.wait()
            await ended.wait()


async def test_unacknowledged_messages_go_back_when_a_program_leaves(seam: Seam) -> None:
    """What a consumer had in hand is handed to another, marked as delivered before."""
    first, second = Inbox(acks=False), Inbox()
    async with seam.open() as broker:
        await broker.publish(seam.message(body=b"1"))
        async with seam.amqp() as leaving:
            await leaving.ready(READY_S)
            await leaving.consume(seam.topology.name(WORK), first, prefetch=1)
            await eventually(lambda: len(first) == 1)
        await broker.consume(seam.topology.name(WORK), second, prefetch=1)
        await eventually(lambda: len(second) == 1)
        first.deliveries[0].ack()  # too late: the channel is gone, and this does nothing
        assert second.deliveries[0].redelivered
        assert second.deliveries[0].delivery_count == 1


async def _delete_from_outside(seam: Seam) -> None:
    async with AmqpBroker(seam.url, name="test outside", topology=Declarations(())) as other:
        await other.ready(READY_S)
        await other.delete(seam.topology.name(WORK))


async def test_an_unknown_host_is_tried_again(seam: Seam, caplog: pytest.LogCaptureFixture) -> None:
    """Where the broker's name appears with its container, a program that was first keeps trying."""

    def tries() -> list[dict[str, object]]:
        return [vars(record) for record in caplog.records if record.message == "broker_unreachable"]

    async with seam.amqp("amqp://guest:guest@no-such-host.invalid:5672/") as broker:
        await eventually(lambda: len(tries()) >= 2)
        assert not broker.connected
        assert "gaierror" in str(tries()[0]["error"])


@pytest.mark.parametrize("server", ["there", "not there"])
async def test_a_program_may_leave_at_any_moment(seam: Seam, server: str) -> None:
    """However far a connection attempt is, leaving is quick, and nothing is left or reported."""
    proxy = proxy_to(seam.url)
    async with contextlib.AsyncExitStack() as stack:
        listening = await stack.enter_async_context(proxy.listening())
        url = listening.url(seam.url)
        if server == "not there":
            await stack.aclose()
        for steps in range(60):
            async with AmqpBroker(url, name="test", topology=Declarations(())):
                for _ in range(steps):
                    await asyncio.sleep(0)
