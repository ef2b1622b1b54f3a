"""The seam to the message broker: what a program may ask of it, whichever body answers.

`services.common.amqp` is the real body, `services.common.testing` the in-memory one; one contract suite
holds both to this page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self

from services.common.topology import Queue

Settlement = Literal["ack", "nack", "requeue", "reject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to publish: persistent, and confirmed by the broker before `publish` returns."""

    exchange: str
    routing_key: str
    body: bytes
    message_id: str
    headers: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    mandatory: bool = False
    """Raise `Unroutable` when no queue takes it; without this the broker confirms and drops it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message handed to a consumer, until it is acknowledged or rejected; the first of these counts."""

    queue: str
    body: bytes
    headers: Mapping[str, Any]
    exchange: str
    routing_key: str
    message_id: str
    priority: int
    redelivered: bool
    delivery_count: int
    """How often a quorum queue handed this message out before, without an acknowledgement."""
    settle: Callable[[Settlement], None]

    def ack(self) -> None:
        """Acknowledge: the broker forgets the message. A no-op when its channel is gone (it comes again)."""
        self.settle("ack")

    def reject(self, *, requeue: bool) -> None:
        """Refuse: requeue counts against the delivery limit on every broker (nack does not on 4.3)."""
        self.settle("requeue" if requeue else "reject")

    def nack(self) -> None:
        """Give back with basic.nack: counts against the limit on 3.10, never on 4.3: an endless loop."""
        self.settle("nack")


Handler = Callable[[Delivery], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Depth:
    """A queue at this moment."""

    ready: int
    consumers: int


class Reader(Protocol):
    """Takes messages one by one, as long as its block runs."""

    async def next(self) -> Delivery | None:
        """Return the next message, None when the queue is empty. One that is not settled goes back."""


class Subscription(Protocol):
    """A consumer on one queue, renewed by itself after a lost connection."""

    async def cancel(self) -> None:
        """Stop new deliveries; those in hand can still be acknowledged."""


class Broker(Protocol):
    """A connection that mends itself: what was declared and subscribed is so again after each reconnect."""

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached and the topology stands."""

    @property
    def blocked(self) -> str:
        """Why the broker takes no messages now, e.g. "low on disk"; it says so to programs that publish."""

    @property
    def version(self) -> str:
        """The broker's version, e.g. 3.10.8; empty before the first connection."""

    async def __aenter__(self) -> Self:
        """Begin to connect, in the background."""

    async def __aexit__(self, *exc: object) -> None:
        """Close; what was unacknowledged goes back to its queue."""

    async def ready(self, timeout_s: float | None = None) -> None:
        """Wait until connected; raise `BrokerUnavailable` after `timeout_s` seconds."""

    def publish(self, message: Outgoing) -> Awaitable[None]:
        """Send at once; awaiting the result waits for the confirm.

        It raises `BrokerUnavailable` when there is no connection or no confirm (the outcome is unknown) and
        `Unroutable` when a mandatory message reached no queue.
        """

    async def consume(self, queue: Queue | str, handler: Handler, *, prefetch: int) -> Subscription:
        """Call `handler` in a task of its own for each delivery, at most `prefetch` at once (0: no limit).

        A `Queue` is declared first, on every connection. A handler that raises has its message rejected
        to the queue, which counts against the delivery limit.
        """

    async def listen(
        self, exchange: str, keys: tuple[str, ...], handler: Handler, *, made: Callable[[], None] = ...
    ) -> Subscription:
        """Consume a copy of what is published from now on, through a queue that goes with the connection.

        `made` is called each time this queue is made, so after each lost connection too: what was published
        in between was missed.
        """

    def reading(self, queue: str) -> AbstractAsyncContextManager[Reader]:
        """Read a queue on demand; what was not settled goes back to it at the end of the block."""

    async def depth(self, queue: str) -> Depth:
        """Return the fresh numbers of a queue."""

    async def purge(self, queue: str) -> int:
        """Drop all ready messages of a queue; return how many."""

    async def delete(self, queue: str) -> None:
        """Remove a queue."""
