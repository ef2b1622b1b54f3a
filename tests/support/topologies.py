"""The pipeline's topology under names of its own, so that tests on one broker do not meet."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace

from services.common.topology import Declarations, Exchange, Queue, declarations

WORK = "text.jobs"
RETRY = "text.jobs.retry.1s"
LIMIT = 2
DELAY_MS = 200

_PICKED = (WORK, RETRY, "dead-letter", "tracker.dead", "tracker.events", "notifier.events")


def _private_name() -> str:
    return f"test.{uuid.uuid4().hex[:8]}."


@dataclass(frozen=True, slots=True)
class PrivateTopology:
    """A cut of the real topology: same arguments, other names, a lower delivery limit and a shorter delay.

    Routing keys stay as they are; the exchanges are private.
    """

    prefix: str = field(default_factory=_private_name)

    @property
    def declarations(self) -> Declarations:
        """What to declare."""
        real = declarations()
        exchanges = tuple(Exchange(self.name(exchange.name), exchange.kind) for exchange in real.exchanges)
        queues = tuple(self._private(queue) for queue in real.queues if queue.name in _PICKED)
        return Declarations(exchanges, queues)

    def name(self, real: str) -> str:
        """Return the private name of an exchange or a queue."""
        return self.prefix + real

    def queue(self, real: str) -> Queue:
        """Return a queue of this topology."""
        return next(queue for queue in self.declarations.queues if queue.name == self.name(real))

    def _private(self, queue: Queue) -> Queue:
        arguments = dict(queue.arguments)
        if "x-dead-letter-exchange" in arguments:
            arguments["x-dead-letter-exchange"] = self.name(arguments["x-dead-letter-exchange"])
        if "x-message-ttl" in arguments:
            arguments["x-message-ttl"] = DELAY_MS
        if queue.name == WORK:
            arguments["x-delivery-limit"] = LIMIT
        bindings = tuple(replace(binding, exchange=self.name(binding.exchange)) for binding in queue.bindings)
        return Queue(self.name(queue.name), arguments, bindings)
