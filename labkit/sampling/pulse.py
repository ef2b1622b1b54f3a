"""What is heard from the broker: heartbeats, changes of faults, and fresh depths of queues."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from anyio.from_thread import BlockingPortal, start_blocking_portal

from labkit.sampling.management import QueueCounts
from services.common.broker import Broker, Delivery
from services.common.errors import BrokerUnavailable
from services.common.messages import Heartbeat
from services.common.roster import Roster
from services.common.topology import CONTROL, EVENTS, HEARTBEAT

ANSWER_S = 1.0
FIRST_ANSWER_S = 3.0
FRESH_S = 3.5
"""A worker that has not been heard for so long is silent: it beats once a second."""


class Pulse:
    """Listens in the background, through lost connections too."""

    def __init__(self, broker: Broker, portal: BlockingPortal) -> None:
        self._broker = broker
        self._portal = portal
        self._roster = Roster(FRESH_S)
        self._changed = threading.Condition()
        self._faults_changed = False
        self._subscribed = False
        self._patience_s = FIRST_ANSWER_S

    def beats(self) -> dict[str, Heartbeat]:
        """Return the newest heartbeat of each worker that is heard."""
        return {heard.beat.instance: heard.beat for heard in self._roster.present()}

    def wait_for(self, names: Iterable[str], within_s: float) -> None:
        """Wait until all these workers have been heard, or the time is over."""
        wanted = set(names)
        with self._changed:
            self._changed.wait_for(lambda: wanted <= self.beats().keys(), within_s)

    def faults_changed(self) -> bool:
        """Tell whether faults were announced since the last call."""
        changed, self._faults_changed = self._faults_changed, False
        return changed

    def depths(self, names: Iterable[str]) -> dict[str, QueueCounts]:
        """Ask for ready messages and consumers, queue by queue. Raises `BrokerUnavailable`."""
        return self._portal.call(self._depths, tuple(names))

    async def hear(self, delivery: Delivery) -> None:
        """Take in a heartbeat, or the news that faults have changed."""
        delivery.ack()
        if delivery.routing_key == CONTROL:
            self._faults_changed = True
            return
        if self._roster.take(delivery.body):
            with self._changed:
                self._changed.notify_all()

    async def subscribe(self) -> None:
        """Begin to listen; a broker that does not answer is heard as soon as it does."""
        if not self._subscribed:
            await self._broker.listen(EVENTS, (HEARTBEAT, CONTROL), self.hear)
            self._subscribed = True

    async def _depths(self, names: tuple[str, ...]) -> dict[str, QueueCounts]:
        patience_s, self._patience_s = self._patience_s, 0.0
        try:
            if not self._broker.connected or patience_s:
                await self._broker.ready(patience_s)
            async with asyncio.timeout(ANSWER_S):
                await self.subscribe()
                found = [await self._broker.depth(name) for name in names]
        except (TimeoutError, BrokerUnavailable):
            raise BrokerUnavailable("RabbitMQ does not answer") from None
        return {
            name: QueueCounts(name, depth.ready, None, depth.consumers)
            for name, depth in zip(names, found, strict=True)
        }


@contextmanager
def listening(open_broker: Callable[[], Broker]) -> Iterator[Pulse]:
    """Listen while the block runs; a broker that does not answer is heard as soon as it does."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(open_broker()) as broker:
        pulse = Pulse(broker, portal)
        with suppress(BrokerUnavailable):
            portal.call(pulse.subscribe)
        yield pulse
