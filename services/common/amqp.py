"""The broker seam on RabbitMQ, through pika's asyncio connection; only this and `pika_async` import pika.

One connection a program. Publishes share a channel with confirms and do not wait for each other, so many
can be under way at once; every subscription has a channel of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.exceptions import AMQPError
from pika.spec import Basic

from services.common.broker import Delivery, Depth, Handler, Outgoing, Settlement
from services.common.confirms import Confirms, failed
from services.common.errors import BrokerUnavailable
from services.common.pika_async import Channel, close_connection, declare_queue, open_connection
from services.common.topology import Declarations, Queue

log = logging.getLogger(__name__)

BACK_OFF_S = (0.2, 0.5, 1.0, 2.0)
HEARTBEAT_S = 30
BLOCKED_TIMEOUT_S = 60
EXPIRY_CHECK_S = 0.5

Prepare = Callable[[Channel], Awaitable[str]]
Lost = Callable[[AsyncioConnection, BaseException], None]


class AmqpBroker:
    """A self-mending connection to RabbitMQ.

    `url` is an AMQP URL, `name` the connection's name on the management page, `topology` what to declare on
    each connection, `confirm_timeout_s` how long a publish may stay without its confirm.
    """

    def __init__(
        self, url: str, *, name: str, topology: Declarations, confirm_timeout_s: float = 10.0
    ) -> None:
        self._parameters = pika.URLParameters(url)
        self._parameters.client_properties = {"connection_name": name}
        self._parameters.heartbeat = HEARTBEAT_S
        # A broker under a memory or disk alarm stops reading; without a bound we would wait for ever.
        self._parameters.blocked_connection_timeout = BLOCKED_TIMEOUT_S
        self._topology = topology
        self._confirm_timeout_s = confirm_timeout_s
        self._connection: AsyncioConnection | None = None
        self._publisher: Channel | None = None
        self._confirms = Confirms()
        self._subscriptions: list[_Subscription] = []
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.version = ""
        self.blocked = ""

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached and the topology stands."""
        return self._up.is_set()

    async def __aenter__(self) -> Self:
        """Begin to connect, in the background."""
        self._tasks = [
            asyncio.create_task(self._keep_connected()),
            asyncio.create_task(self._expire_forever()),
        ]
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close; what was unacknowledged goes back to its queue."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._disconnect()

    async def ready(self, timeout_s: float | None = None) -> None:
        """Wait until connected; raise `BrokerUnavailable` after `timeout_s` seconds."""
        try:
            await asyncio.wait_for(self._up.wait(), timeout_s)
        except TimeoutError:
            where = f"{self._parameters.host}:{self._parameters.port}"
            raise BrokerUnavailable(f"RabbitMQ at {where} did not answer within {timeout_s:g} s") from None

    def publish(self, message: Outgoing) -> asyncio.Future[None]:
        """Publish; the future ends with the confirm."""
        if self._publisher is None:
            return failed(BrokerUnavailable("no connection to RabbitMQ; nothing was sent"))
        properties = pika.BasicProperties(
            content_type="application/json",
            delivery_mode=2,
            message_id=message.message_id,
            headers=dict(message.headers) or None,
            priority=message.priority,
        )
        try:
            self._publisher.raw.basic_publish(
                message.exchange, message.routing_key, message.body, properties, message.mandatory
            )
        except AMQPError as error:
            return failed(BrokerUnavailable(f"the connection to RabbitMQ broke: {error!r}"))
        return self._confirms.add(message.message_id)

    async def consume(self, queue: Queue | str, handler: Handler, *, prefetch: int) -> _Subscription:
        """Call `handler` in a task of its own for each delivery, at most `prefetch` at once."""

        async def prepare(channel: Channel) -> str:
            if isinstance(queue, str):
                return queue
            await declare_queue(channel, queue)
            return queue.name

        return await self._subscribe(prepare, handler, prefetch)

    async def listen(
        self,
        exchange: str,
        keys: tuple[str, ...],
        handler: Handler,
        *,
        made: Callable[[], None] = lambda: None,
    ) -> _Subscription:
        """Consume a copy of what is published from now on, through a queue that goes with the connection."""

        async def prepare(channel: Channel) -> str:
            frame = await channel.call("queue_declare", queue="", exclusive=True, auto_delete=True)
            name = str(frame.method.queue)
            for key in keys:
                await channel.call("queue_bind", queue=name, exchange=exchange, routing_key=key)
            made()
            return name

        return await self._subscribe(prepare, handler, 0)

    @contextlib.asynccontextmanager
    async def reading(self, queue: str) -> AsyncIterator[_Reader]:
        """Read a queue on demand; what was not settled goes back to it at the end of the block."""
        if self._connection is None or not self.connected:
            raise BrokerUnavailable("no connection to RabbitMQ")
        channel = await Channel.open(self._connection)
        try:
            yield _Reader(channel, queue)
        finally:
            await channel.shut()

    async def depth(self, queue: str) -> Depth:
        """Return the fresh numbers of a queue; a passive declare answers in about 1.5 ms."""
        async with self._channel() as channel:
            frame = await channel.call("queue_declare", queue=queue, passive=True)
            return Depth(frame.method.message_count, frame.method.consumer_count)

    async def purge(self, queue: str) -> int:
        """Drop all ready messages of a queue; return how many."""
        async with self._channel() as channel:
            frame = await channel.call("queue_purge", queue=queue)
            return int(frame.method.message_count)

    async def delete(self, queue: str) -> None:
        """Remove a queue."""
        async with self._channel() as channel:
            await channel.call("queue_delete", queue=queue)

    async def _subscribe(self, prepare: Prepare, handler: Handler, prefetch: int) -> _Subscription:
        subscription = _Subscription(prepare, handler, prefetch)
        self._subscriptions.append(subscription)
        if self._connection is not None and self.connected:
            try:
                await subscription.start(self._connection, self._on_lost)
            except BrokerUnavailable:
                if self.connected:
                    self._subscriptions.remove(subscription)
                    raise
                # The connection broke meanwhile; the next one starts the subscription.
        return subscription

    @contextlib.asynccontextmanager
    async def _channel(self) -> AsyncIterator[Channel]:
        if self._connection is None or not self.connected:
            raise BrokerUnavailable("no connection to RabbitMQ")
        # A channel of its own: a passive declare of a missing queue closes the channel it was asked on.
        channel = await Channel.open(self._connection)
        try:
            yield channel
        finally:
            channel.close()

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            try:
                await self._connect()
            except BrokerUnavailable as error:
                pause = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
                failures += 1
                log.warning("broker_unreachable", extra={"error": str(error), "retry_in_s": pause})
                await self._disconnect()
                await asyncio.sleep(pause)
                continue
            failures = 0
            log.info("broker_connected", extra={"broker_version": self.version})
            await self._lost.wait()
            log.warning("broker_lost")
            await self._disconnect()

    async def _expire_forever(self) -> None:
        # One look at all of them costs less than a timer for each publish.
        while True:
            await asyncio.sleep(min(EXPIRY_CHECK_S, self._confirm_timeout_s))
            self._confirms.expire(self._confirm_timeout_s)

    async def _connect(self) -> None:
        self._lost.clear()
        connection = self._connection = await open_connection(self._parameters)
        connection.add_on_close_callback(self._on_lost)
        connection.add_on_connection_blocked_callback(lambda _, frame: self._block(frame.method.reason))
        connection.add_on_connection_unblocked_callback(lambda _, __: self._block(""))
        self.version = str(connection.server_properties.get("version", ""))
        publisher = await Channel.open(connection)
        for exchange in self._topology.exchanges:
            await publisher.call(
                "exchange_declare", exchange=exchange.name, exchange_type=exchange.kind, durable=True
            )
        for queue in self._topology.queues:
            await declare_queue(publisher, queue)
        await self._confirm(publisher)
        # Before the subscriptions: who gets a delivery may want to publish at once.
        self._publisher = publisher
        for subscription in self._subscriptions:
            await subscription.start(connection, self._on_lost)
        self._up.set()

    async def _confirm(self, channel: Channel) -> None:
        def settle(frame: Any) -> None:  # noqa: ANN401  (pika frames have no types)
            accepted = isinstance(frame.method, Basic.Ack)
            note = self._confirms.confirmed if accepted else self._confirms.refused
            note(frame.method.delivery_tag, multiple=frame.method.multiple)

        channel.raw.add_on_return_callback(
            lambda _, __, properties, ___: self._confirms.returned(properties.message_id)
        )
        channel.raw.add_on_close_callback(lambda raw, error: self._on_lost(raw.connection, error))
        await channel.call("confirm_delivery", ack_nack_callback=settle)

    def _block(self, reason: str) -> None:
        """Note that the broker reads nothing more, or does so again; https://www.rabbitmq.com/docs/alarms."""
        self.blocked = reason
        if reason:
            log.warning("broker_blocked", extra={"reason": reason})
        else:
            log.info("broker_unblocked")

    def _on_lost(self, connection: AsyncioConnection, error: BaseException) -> None:
        # A connection given up earlier may end late; that is no matter of the present one.
        if connection is self._connection:
            self._drop(error)

    def _drop(self, error: BaseException) -> None:
        self._up.clear()
        self.blocked = ""
        self._publisher = None
        self._confirms.lost(BrokerUnavailable(f"the connection to RabbitMQ broke: {error!r}"))
        self._lost.set()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._drop(ConnectionError("closed by this program"))
        if connection is not None:
            await close_connection(connection)


class _Subscription:
    """A consumer on a channel of its own; deliveries become tasks, so a slow job does not stop heartbeats."""

    def __init__(self, prepare: Prepare, handler: Handler, prefetch: int) -> None:
        self._prepare = prepare
        self._handler = handler
        self._prefetch = prefetch
        self._channel: Channel | None = None
        self._tag = ""
        self._cancelled = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, connection: AsyncioConnection, lost: Lost) -> None:
        """Begin to consume; `lost` is told when the server ends this consumer or its channel."""
        if self._cancelled.is_set():
            return
        channel = await Channel.open(connection)
        try:
            queue = await self._prepare(channel)
            await channel.call("basic_qos", prefetch_count=self._prefetch)
            # The queue went away under the consumer: a new connection declares it again.
            gone = ConnectionError(f"the queue {queue} went away")
            channel.raw.add_on_cancel_callback(lambda _: lost(connection, gone))
            self._tag = await self._consume(channel, queue)
        except BrokerUnavailable:
            channel.close()
            raise
        # Without its channel a consumer is deaf, and nobody would notice.
        channel.raw.add_on_close_callback(lambda _, error: lost(connection, error))
        if not channel.raw.is_open:
            raise BrokerUnavailable(f"RabbitMQ closed the channel of a consumer of {queue}")
        self._channel = channel
        if self._cancelled.is_set():
            await self._stop(channel)

    async def cancel(self) -> None:
        """Stop new deliveries; those in hand can still be acknowledged."""
        self._cancelled.set()
        channel, self._channel = self._channel, None
        if channel is not None and channel.raw.is_open:
            await self._stop(channel)

    async def _stop(self, channel: Channel) -> None:
        with contextlib.suppress(BrokerUnavailable):
            await channel.call("basic_cancel", consumer_tag=self._tag)

    async def _consume(self, channel: Channel, queue: str) -> str:
        def deliver(_: object, method: Any, properties: Any, body: bytes) -> None:  # noqa: ANN401
            delivery = _delivery(channel, queue, method, properties, body)
            task = asyncio.create_task(self._handle(delivery))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        frame = await channel.call("basic_consume", queue=queue, on_message_callback=deliver)
        return str(frame.method.consumer_tag)

    async def _handle(self, delivery: Delivery) -> None:
        try:
            await self._handler(delivery)
        except Exception:  # the outermost loop of a delivery
            log.exception("handler_failed", extra={"queue": delivery.queue})
            delivery.reject(requeue=True)


class _Reader:
    """Takes messages one by one on a channel of its own."""

    def __init__(self, channel: Channel, queue: str) -> None:
        self._channel = channel
        self._queue = queue

    async def next(self) -> Delivery | None:
        """Return the next message, None when the queue is empty."""
        found = await self._channel.get(self._queue)
        return None if found is None else _delivery(self._channel, self._queue, *found)


def _delivery(channel: Channel, queue: str, method: Any, properties: Any, body: bytes) -> Delivery:  # noqa: ANN401
    headers = properties.headers or {}
    settled = False

    def settle(how: Settlement) -> None:
        nonlocal settled
        if settled:
            return  # RabbitMQ closes a channel that settles twice
        settled = True
        # After a lost connection the broker hands the message out again: nothing is left to settle.
        if not channel.raw.is_open:
            log.info("delivery_stale", extra={"queue": queue})
        elif how == "ack":
            channel.raw.basic_ack(method.delivery_tag)
        elif how == "nack":
            channel.raw.basic_nack(method.delivery_tag, requeue=True)
        else:
            channel.raw.basic_reject(method.delivery_tag, requeue=how == "requeue")

    return Delivery(
        queue=queue,
        body=body,
        headers=headers,
        exchange=method.exchange,
        routing_key=method.routing_key,
        message_id=properties.message_id or "",
        priority=properties.priority or 0,
        redelivered=method.redelivered,
        # The broker writes the header from the second delivery on; before that it is whatever was published.
        delivery_count=int(headers.get("x-delivery-count", 0)) if method.redelivered else 0,
        settle=settle,
    )
