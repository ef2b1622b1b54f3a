"""pika's asyncio connection and its channels, as coroutines instead of callbacks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from pika import URLParameters as Parameters
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.exceptions import AMQPError, StreamLostError
from pika.spec import Basic

from services.common.errors import BrokerUnavailable
from services.common.topology import Queue

REPLY_TIMEOUT_S = 15.0
CLOSE_TIMEOUT_S = 2.0
OPEN_GRACE_S = 0.5


async def open_connection(parameters: Parameters) -> AsyncioConnection:
    """Connect; raise `BrokerUnavailable` with the innermost cause."""
    opened: asyncio.Future[AsyncioConnection] = asyncio.get_running_loop().create_future()
    connection = AsyncioConnection(
        parameters,
        on_open_callback=lambda connection: resolve(opened, connection),
        on_open_error_callback=lambda _, error: refuse(opened, BrokerUnavailable(_reason(error))),
    )
    opened.add_done_callback(lambda done: done.exception())  # who leaves does not ask for it
    try:
        return await asyncio.shield(opened)
    except asyncio.CancelledError:
        # Most attempts end by themselves in a moment, and pika stumbles when it is told to at that moment.
        await asyncio.wait({opened}, timeout=OPEN_GRACE_S)
        await close_connection(connection)
        raise


async def close_connection(connection: AsyncioConnection) -> None:
    """Close politely; a server that does not answer, or that never answered, is left without a word."""
    if connection.is_open:
        connection.close()
    if connection.is_closing:
        await _until_closed(connection)
    if not connection.is_closed:
        # close() would do, but in the middle of a handshake it fails an assertion of pika's own.
        connection._terminate_stream(StreamLostError("given up"))  # noqa: SLF001 - as pika's heartbeat does
        await _until_closed(connection)


async def _until_closed(connection: AsyncioConnection) -> None:
    closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    connection.add_on_close_callback(lambda *_: resolve(closed, None))
    connection.add_on_open_error_callback(lambda *_: resolve(closed, None))
    await asyncio.wait({closed}, timeout=CLOSE_TIMEOUT_S)


class Channel:
    """A pika channel whose methods can be awaited; what is awaited fails at once when the channel closes."""

    def __init__(self, raw: Any) -> None:  # noqa: ANN401  (pika has no published types)
        self.raw = raw
        self._waiting: set[asyncio.Future[Any]] = set()
        raw.add_on_close_callback(lambda _, error: self._fail(error))

    @classmethod
    async def open(cls, connection: AsyncioConnection) -> Channel:
        """Open a channel; raise `BrokerUnavailable` when the connection breaks meanwhile."""
        opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        raw: Any = None
        try:
            raw = connection.channel(on_open_callback=lambda raw: resolve(opened, raw))
            raw.add_on_close_callback(lambda _, error: refuse(opened, error))
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                return cls(await opened)
        except (AMQPError, TimeoutError) as error:
            raise BrokerUnavailable(f"RabbitMQ opened no channel: {error!r}") from error
        finally:
            given_up = opened.cancelled() and not (raw.is_closing or raw.is_closed)
            if given_up:
                raw.close()

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

    async def get(self, queue: str) -> tuple[Any, Any, bytes] | None:
        """Take one message: its method, properties and body; None when the queue is empty."""
        reply: asyncio.Future[tuple[Any, Any, bytes] | None] = asyncio.get_running_loop().create_future()
        self._waiting.add(reply)
        # pika tells of a message through one callback, and of an empty queue through another.
        self.raw.add_callback(lambda _: resolve(reply, None), [Basic.GetEmpty])
        try:
            self.raw.basic_get(queue, lambda _, *message: resolve(reply, message))
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                return await reply
        except (AMQPError, TimeoutError) as error:
            raise BrokerUnavailable(f"RabbitMQ did not hand out a message: {error!r}") from error
        finally:
            self._waiting.discard(reply)

    async def shut(self) -> None:
        """Close and wait until the server has: what was not settled is back in its queue then."""
        if not self.raw.is_open:
            return
        closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.raw.add_on_close_callback(lambda *_: resolve(closed, None))
        self.raw.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                await closed

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


def _reason(error: BaseException) -> str:
    """Return the innermost cause: pika wraps a refused connection in layers of its own."""
    if inner := getattr(error, "exceptions", ()):
        return _reason(inner[-1])
    wrapped = getattr(error, "exception", None)
    return repr(error) if wrapped is None else _reason(wrapped)
