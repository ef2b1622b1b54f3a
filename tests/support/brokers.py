"""Both bodies of the broker seam, ready to use and cleaned away afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from services.common.amqp import AmqpBroker
from services.common.broker import Broker, Delivery, Outgoing
from services.common.testing import MemoryBroker
from services.common.topology import Declarations
from tests.support.topologies import WORK, PrivateTopology
from tests.support.waiting import eventually

READY_S = 30.0


class Seam:
    """One body of the broker seam and a private topology; `url` is empty for the in-memory body."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.topology = PrivateTopology()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Broker]:
        """Give a broker that is connected; remove what was declared at the end."""
        if not self.url:
            async with MemoryBroker(self.topology.declarations) as memory:
                yield memory
            return
        try:
            async with self.amqp() as broker:
                await broker.ready(READY_S)
                yield broker
        finally:
            await self.remove()

    @contextlib.asynccontextmanager
    async def begun(self) -> AsyncIterator[Broker]:
        """Give a broker that is not connected yet: `connect` waits until it is."""
        if not self.url:
            async with MemoryBroker(self.topology.declarations) as memory:
                memory.connected = False
                yield memory
            return
        try:
            async with self.amqp() as broker:
                yield broker
        finally:
            await self.remove()

    async def connect(self, broker: Broker) -> None:
        """Wait until a broker is connected."""
        if isinstance(broker, MemoryBroker):
            broker.connected = True
        await broker.ready(READY_S)

    def amqp(self, url: str = "", confirm_timeout_s: float = 10.0) -> AmqpBroker:
        """Return a real broker that is not connected yet; `url` when it is reached another way."""
        return AmqpBroker(
            url or self.url,
            name="test",
            topology=self.topology.declarations,
            confirm_timeout_s=confirm_timeout_s,
        )

    async def remove(self) -> None:
        """Remove what was declared, when nobody uses it any more."""
        async with AmqpBroker(self.url, name="test clean-up", topology=Declarations(())) as broker:
            await broker.ready(READY_S)
            for queue in self.topology.declarations.queues:
                await broker.delete(queue.name)
            async with broker._channel() as channel:
                for exchange in self.topology.declarations.exchanges:
                    await channel.call("exchange_delete", exchange=exchange.name)

    def message(self, key: str = WORK, body: bytes = b"{}", exchange: str = "lab.jobs") -> Outgoing:
        """Return a message for one of the private queues."""
        return Outgoing(
            exchange=self.topology.name(exchange),
            routing_key=key,
            body=body,
            message_id=body.decode(),
            mandatory=True,
        )


class Inbox:
    """A handler that keeps what it is given; `acks` says whether it acknowledges too."""

    def __init__(self, *, acks: bool = True) -> None:
        self.deliveries: list[Delivery] = []
        self._acks = acks

    async def __call__(self, delivery: Delivery) -> None:
        """Keep a delivery."""
        self.deliveries.append(delivery)
        if self._acks:
            delivery.ack()

    def __len__(self) -> int:
        return len(self.deliveries)

    @property
    def bodies(self) -> list[bytes]:
        """The bodies, in the order in which they came."""
        return [delivery.body for delivery in self.deliveries]


async def ready(broker: Broker, queue: str, count: int) -> None:
    """Wait until so many messages are ready in a queue."""

    async def reached() -> bool:
        return (await broker.depth(queue)).ready == count

    await eventually(reached)
