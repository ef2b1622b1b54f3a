"""A channel of the connection to RabbitMQ, as coroutines instead of callbacks."""

from __future__ import annotations

import asyncio
from typing import Any

from pika.adapters.asyncio_connection import AsyncioConnection
from pika.exceptions import AMQPError

from services.common.errors import BrokerUnavailable
from services.common.topology import Queue

REPLY_TIMEOUT_S = 15.0


class Channel:
    """A pika channel whose methods can be awaited."""

    def __init__(self, raw: Any) -> None:  # noqa: ANN401  (pika has no published types)
        self.raw = raw
        self._waiting: set[asyncio.Future[Any]] = set()
        raw.add_on_close_callback(lambda _, error: self._fail(error))

    @classmethod
    async def open(cls, connection: AsyncioConnection) -> Channel:
        """Open a channel; raise `BrokerUnavailable` when the connection breaks meanwhile."""
        opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            connection.channel(on_open_callback=lambda raw: resolve(opened, raw))
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                return cls(await opened)
        except (AMQPError, TimeoutError) as error:
            raise BrokerUnavailable(f"RabbitMQ opened no channel: {error!r}") from error

    async def call(self, method: str, **arguments: Any) -> Any:  # noqa: ANN401  (frames have no types)
        """Call a method that answers through a callback, and wait for the answer."""
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.add(reply)
        try:
            getattr(self.raw, method)(**arguments, callback=lambda frame: resolve(reply, frame))
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                return await reply
        except (AMQPError, TimeoutError) as error:
            raise BrokerUnavailable(f"RabbitMQ did not do {method}: {error!r}") from error
        finally:
            self._waiting.discard(reply)

    def close(self) -> None:
        """Close without waiting."""
        if self.raw.is_open:
            self.raw.close()

    def _fail(self, error: BaseException) -> None:
        for reply in self._waiting:
            refuse(reply, error)


async def declare_queue(channel: Channel, queue: Queue) -> None:
    """Declare a queue and its bindings."""
    await channel.call("queue_declare", queue=queue.name, durable=True, arguments=queue.arguments)
    for binding in queue.bindings:
        await channel.call("queue_bind", queue=queue.name, exchange=binding.exchange, routing_key=binding.key)


def resolve(future: asyncio.Future[Any], value: object) -> None:
    """Give a future its result, unless nobody waits for it any more."""
    if not future.done():
        future.set_result(value)


def refuse(future: asyncio.Future[Any], error: BaseException) -> None:
    """Give a future its error, unless nobody waits for it any more."""
    if not future.done():
        future.set_exception(error)
