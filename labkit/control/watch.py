"""What the workers say while a command runs: who is alive, and which jobs each one holds."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anyio.from_thread import start_blocking_portal

from services.common.broker import Broker, Delivery
from services.common.errors import BrokerUnavailable
from services.common.messages import Event, Heartbeat
from services.common.topology import EVENTS, HEARTBEAT

CONNECT_S = 3.0

_BEGINS = "job.started"
_ENDS = ("job.completed", "job.failed", "job.retrying")


class Watch:
    """What was heard since the watch began; filled from another thread."""

    def __init__(self) -> None:
        self._heard: dict[str, Heartbeat] = {}
        self._in_hand: defaultdict[str, set[str]] = defaultdict(set)
        self._changed = threading.Condition()

    @property
    def alive(self) -> set[str]:
        """The instances that have sent a heartbeat."""
        with self._changed:
            return set(self._heard)

    def in_hand(self, instance: str) -> tuple[str, ...] | None:
        """Return the jobs that a worker holds; None when it has not been heard yet."""
        with self._changed:
            return tuple(sorted(self._in_hand[instance])) if instance in self._heard else None

    def wait_for(self, instances: set[str], within_s: float) -> bool:
        """Wait until all of `instances` have been heard; tell whether they have."""
        deadline = time.monotonic() + within_s
        with self._changed:
            while not instances <= self._heard.keys():
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return instances <= self._heard.keys()
            return True

    async def hear(self, delivery: Delivery) -> None:
        """Take in a heartbeat or an event."""
        if delivery.routing_key == HEARTBEAT:
            self._beat(Heartbeat.decode(delivery.body))
        else:
            self._event(Event.decode(delivery.body))
        delivery.ack()

    def _beat(self, beat: Heartbeat) -> None:
        with self._changed:
            self._heard[beat.instance] = beat
            self._in_hand[beat.instance] = set(beat.job_ids)
            self._changed.notify_all()

    def _event(self, event: Event) -> None:
        with self._changed:
            jobs = self._in_hand[event.worker or ""]
            if event.name == _BEGINS:
                jobs.add(event.job_id)
            else:
                jobs.discard(event.job_id)


@contextmanager
def watching(open_broker: Callable[[], Broker]) -> Iterator[Watch | None]:
    """Listen to the workers in the background; give None when the broker does not answer."""
    watch = Watch()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(open_broker()) as broker:
        try:
            portal.call(broker.ready, CONNECT_S)
            portal.call(broker.listen, EVENTS, (HEARTBEAT, _BEGINS, *_ENDS), watch.hear)
        except BrokerUnavailable:
            yield None
        else:
            yield watch
