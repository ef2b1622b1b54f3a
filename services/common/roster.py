"""The workers that are heard: each beats once a second, and who is silent for a while is gone."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from services.common.broker import Broker, Delivery, Subscription
from services.common.errors import BadMessage
from services.common.messages import Heartbeat
from services.common.topology import EVENTS, HEARTBEAT

FRESH_S = 5.0


@dataclass(frozen=True, slots=True)
class Heard:
    """A worker's newest heartbeat, and how long ago it came, seconds by the clock of who heard it."""

    beat: Heartbeat
    silent_s: float


class Roster:
    """Keeps the newest heartbeat of each worker, for `fresh_s` seconds. Any thread may ask."""

    def __init__(self, fresh_s: float = FRESH_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._fresh_s = fresh_s
        self._clock = clock
        self._heard: dict[str, tuple[float, Heartbeat]] = {}
        self._changed = threading.Lock()

    def take(self, body: bytes) -> Heartbeat | None:
        """Take in a heartbeat as it came; return it, or None when it is none."""
        try:
            beat = Heartbeat.decode(body)
        except BadMessage:
            return None  # the next one comes in a second
        with self._changed:
            self._heard[beat.instance] = (self._clock(), beat)
        return beat

    def present(self) -> list[Heard]:
        """Return who is heard, worker-2 before worker-10; who is silent is forgotten."""
        now = self._clock()
        with self._changed:
            self._heard = {
                name: heard for name, heard in self._heard.items() if now - heard[0] < self._fresh_s
            }
            found = [Heard(beat, now - at) for at, beat in self._heard.values()]
        return sorted(found, key=lambda heard: _in_order(heard.beat.instance))


class ListeningRoster(Roster):
    """A roster that listens to a broker while its block runs; every program may have one."""

    def __init__(self, broker: Broker, fresh_s: float = FRESH_S) -> None:
        super().__init__(fresh_s)
        self._broker = broker
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> Self:
        """Begin to listen, through lost connections too."""
        self._subscription = await self._broker.listen(EVENTS, (HEARTBEAT,), self._hear)
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Listen no more."""
        if self._subscription is not None:
            await self._subscription.cancel()

    async def _hear(self, delivery: Delivery) -> None:
        delivery.ack()
        self.take(delivery.body)


def _in_order(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]
