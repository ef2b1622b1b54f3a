"""In-memory twins of the seams, for tests and for reading: they pass the same contract suites."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

from services.common.broker import Delivery, Depth, Handler, Outgoing, Settlement
from services.common.confirms import failed
from services.common.errors import BrokerUnavailable, Unroutable
from services.common.testing_store import MemoryStore
from services.common.topology import Binding, Declarations, Queue

__all__ = ["MemoryBroker", "MemoryStore"]


@dataclass(slots=True, eq=False)
class _Message:
    outgoing: Outgoing
    headers: dict[str, Any]
    delivery_count: int = 0


@dataclass(slots=True, eq=False)
class _Loan:
    """A message that was handed out and is not settled."""

    message: _Message


@dataclass(slots=True, eq=False)
class _Consumer:
    handler: Handler
    prefetch: int
    loans: list[_Loan]
    active: bool = True

    def free(self) -> bool:
        return self.active and (self.prefetch == 0 or len(self.loans) < self.prefetch)

    async def cancel(self) -> None:
        """Stop new deliveries; those in hand can still be acknowledged."""
        self.active = False


@dataclass(slots=True, eq=False)
class _Queue:
    declared: Queue
    ready: deque[_Message] = field(default_factory=deque)
    consumers: list[_Consumer] = field(default_factory=list)
    loans: list[list[_Loan]] = field(default_factory=list)
    """What each consumer and reader has in hand."""

    def lend(self) -> list[_Loan]:
        """Return a new hand to lend messages to."""
        self.loans.append([])
        return self.loans[-1]


class MemoryBroker:
    """A broker in this process: routing, prefetch, time to live, delivery limit and dead letters.

    Set `connected` to False to have the connection break: what is in hand goes back to its queue, and nothing
    is delivered until it is True again.
    """

    version = "memory"
    blocked = ""

    def __init__(self, topology: Declarations) -> None:
        self._exchanges = {exchange.name: exchange.kind for exchange in topology.exchanges}
        self._queues: dict[str, _Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._names = itertools.count(1)
        self._made: list[Callable[[], None]] = []
        self._connected = True
        for queue in topology.queues:
            self.declare(queue)

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._connected

    @connected.setter
    def connected(self, connected: bool) -> None:
        if connected and not self._connected:
            for made in self._made:
                made()
        self._connected = connected
        for name, queue in self._queues.items():
            if connected:
                self._pump(name)
            else:
                for loans in queue.loans:
                    self.take_back(name, loans)

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Drop everything."""
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def declare(self, queue: Queue) -> None:
        """Make a queue when it is not there."""
        self._queues.setdefault(queue.name, _Queue(queue))

    async def ready(self, timeout_s: float | None = None) -> None:
        """Return, or raise `BrokerUnavailable` while `connected` is set to False."""
        if not self.connected:
            raise BrokerUnavailable(f"the broker did not answer within {timeout_s} s")

    def publish(self, message: Outgoing) -> asyncio.Future[None]:
        """Route a message to its queues."""
        if not self.connected:
            return failed(BrokerUnavailable("no connection; nothing was sent"))
        if not self._route(_Message(message, dict(message.headers))) and message.mandatory:
            return failed(Unroutable())
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sent.set_result(None)
        return sent

    async def consume(self, queue: Queue | str, handler: Handler, *, prefetch: int) -> _Consumer:
        """Call `handler` in a task of its own for each delivery."""
        if isinstance(queue, Queue):
            self.declare(queue)
        name = queue if isinstance(queue, str) else queue.name
        self._find(name)
        return self._consumer(name, handler, prefetch)

    async def listen(
        self,
        exchange: str,
        keys: tuple[str, ...],
        handler: Handler,
        *,
        made: Callable[[], None] = lambda: None,
    ) -> _Consumer:
        """Consume a copy of what is published from now on."""
        bindings = tuple(Binding(exchange, key) for key in keys)
        queue = Queue(f"listener-{next(self._names)}", {}, bindings)
        self.declare(queue)
        self._made.append(made)
        if self._connected:
            made()
        # Without a connection too: it begins with the next one.
        return self._consumer(queue.name, handler, 0)

    def _consumer(self, name: str, handler: Handler, prefetch: int) -> _Consumer:
        found = self._queues[name]
        consumer = _Consumer(handler, prefetch, found.lend())
        found.consumers.append(consumer)
        self._pump(name)
        return consumer

    @contextlib.asynccontextmanager
    async def reading(self, queue: str) -> AsyncIterator[_Reader]:
        """Read a queue on demand; what was not settled goes back to it at the end of the block."""
        found = self._find(queue)
        reader = _Reader(self, found)
        try:
            yield reader
        finally:
            self.take_back(queue, reader.loans)
            found.loans.remove(reader.loans)
            self._pump(queue)

    async def depth(self, queue: str) -> Depth:
        """Return the numbers of a queue."""
        found = self._find(queue)
        return Depth(len(found.ready), sum(consumer.active for consumer in found.consumers))

    async def purge(self, queue: str) -> int:
        """Drop all ready messages of a queue; return how many."""
        found = self._find(queue)
        count = len(found.ready)
        found.ready.clear()
        return count

    async def delete(self, queue: str) -> None:
        """Remove a queue."""
        if found := self._queues.pop(queue, None):
            for loans in found.loans:
                loans.clear()

    def _find(self, name: str) -> _Queue:
        if not self.connected:
            raise BrokerUnavailable("no connection")
        if name not in self._queues:
            raise BrokerUnavailable(f"no queue {name}")
        return self._queues[name]

    def _route(self, message: _Message) -> bool:
        exchange, key = message.outgoing.exchange, message.outgoing.routing_key
        targets = [name for name, queue in self._queues.items() if self._bound(queue, exchange, key)]
        for name in targets:
            copy = _Message(message.outgoing, dict(message.headers))
            self._queues[name].ready.append(copy)
            self._expire_later(name, copy)
            self._pump(name)
        return bool(targets)

    def _bound(self, queue: _Queue, exchange: str, key: str) -> bool:
        if exchange == "":
            return queue.declared.name == key
        kind = self._exchanges.get(exchange)
        return any(
            binding.exchange == exchange and (kind == "fanout" or _matches(binding.key, key))
            for binding in queue.declared.bindings
        )

    def _expire_later(self, name: str, message: _Message) -> None:
        milliseconds = self._queues[name].declared.arguments.get("x-message-ttl")
        if milliseconds is None:
            return

        def expire() -> None:
            queue = self._queues.get(name)
            if queue and message in queue.ready:
                queue.ready.remove(message)
                self._dead_letter(queue.declared, message, "expired")

        self._timers.add(asyncio.get_running_loop().call_later(milliseconds / 1000, expire))

    def _dead_letter(self, queue: Queue, message: _Message, reason: str) -> None:
        exchange = queue.arguments.get("x-dead-letter-exchange")
        if exchange is None:
            return
        old = message.outgoing
        key = queue.arguments.get("x-dead-letter-routing-key", old.routing_key)
        deaths = [{"reason": reason, "queue": queue.name}, *message.headers.get("x-death", [])]
        reborn = replace(old, exchange=exchange, routing_key=key, mandatory=False)
        self._route(_Message(reborn, {**message.headers, "x-death": deaths}))

    def _pump(self, name: str) -> None:
        queue = self._queues.get(name)
        while queue and queue.ready and self._connected:
            consumer = next((found for found in queue.consumers if found.free()), None)
            if consumer is None:
                return
            # The one served goes to the back: consumers take turns, as they do at RabbitMQ.
            queue.consumers.remove(consumer)
            queue.consumers.append(consumer)
            self._hand_out(name, consumer, queue.ready.popleft())

    def _hand_out(self, name: str, consumer: _Consumer, message: _Message) -> None:
        handling = _handle(consumer.handler, self.lend(name, consumer.loans, message))
        task = asyncio.get_running_loop().create_task(handling)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def lend(self, name: str, loans: list[_Loan], message: _Message) -> Delivery:
        """Hand out a message, until it is settled or taken back."""
        loan = _Loan(message)
        loans.append(loan)

        def settle(how: Settlement) -> None:
            if loan not in loans:
                return  # settled before, or gone with its connection
            loans.remove(loan)
            if how in ("requeue", "nack"):
                self._return(name, message)
            elif how == "reject":
                self._dead_letter(self._queues[name].declared, message, "rejected")
            self._pump(name)

        return _delivery(name, message, settle)

    def take_back(self, name: str, loans: list[_Loan]) -> None:
        """Return what a consumer or reader has in hand, in its order."""
        for loan in reversed(loans):
            self._return(name, loan.message)
        loans.clear()

    def _return(self, name: str, message: _Message) -> None:
        queue = self._queues[name]
        message.delivery_count += 1
        if message.delivery_count > queue.declared.arguments.get("x-delivery-limit", float("inf")):
            self._dead_letter(queue.declared, message, "delivery_limit")
        else:
            queue.ready.appendleft(message)


class _Reader:
    def __init__(self, broker: MemoryBroker, queue: _Queue) -> None:
        self._broker = broker
        self._queue = queue
        self.loans = queue.lend()

    async def next(self) -> Delivery | None:
        """Return the next message, None when the queue is empty."""
        if not self._queue.ready:
            return None
        return self._broker.lend(self._queue.declared.name, self.loans, self._queue.ready.popleft())


def _delivery(name: str, message: _Message, settle: Callable[[Settlement], None]) -> Delivery:
    outgoing = message.outgoing
    return Delivery(
        queue=name,
        body=outgoing.body,
        headers=message.headers,
        exchange=outgoing.exchange,
        routing_key=outgoing.routing_key,
        message_id=outgoing.message_id,
        priority=outgoing.priority,
        redelivered=message.delivery_count > 0,
        delivery_count=message.delivery_count,
        settle=settle,
    )


async def _handle(handler: Handler, delivery: Delivery) -> None:
    try:
        await handler(delivery)
    except Exception:  # noqa: BLE001  (the outermost loop of a delivery)
        delivery.reject(requeue=True)


def _matches(pattern: str, key: str) -> bool:
    """Match a topic pattern as the pipeline uses it: literal words, or a closing `#`."""
    if pattern.endswith("#"):
        return key.startswith(pattern[:-1])
    return pattern == key
