"""Events to notifications: each finished job is announced once, with a stable id.

The broker delivers at least once, so an event can come twice; a notification that went out is remembered by
its id. After a restart that memory is gone: receivers can use the id for the same purpose.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from services.common import dead_letters, metrics
from services.common.broker import Broker, Delivery
from services.common.envelopes import event_envelope
from services.common.errors import BadMessage, BrokerUnavailable
from services.common.messages import Event
from services.common.topology import NOTIFIER_EVENTS

log = logging.getLogger(__name__)

PREFETCH = 100
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Notification:
    """What a receiver is told about a finished job."""

    id: str
    event: Event

    @property
    def outcome(self) -> str:
        """How the job ended: completed or failed."""
        return self.event.name.removeprefix("job.")


class Channel(Protocol):
    """A way to reach a receiver."""

    async def send(self, notification: Notification) -> None:
        """Send, or raise a `TransientError`."""


class LogChannel:
    """Notifications as log lines."""

    async def send(self, notification: Notification) -> None:
        """Write the line."""
        log.info(
            "notification_sent",
            extra={
                "job_id": notification.event.job_id,
                "outcome": notification.outcome,
                "notification_id": notification.id,
            },
        )


class Notifier:
    """Sends a notification for each finished job through its channels."""

    def __init__(self, broker: Broker, channels: tuple[Channel, ...], *, instance: str) -> None:
        self._broker = broker
        self._channels = channels
        self._instance = instance
        self._sent: OrderedDict[str, None] = OrderedDict()

    async def start(self) -> None:
        """Begin to consume."""
        await self._broker.consume(NOTIFIER_EVENTS, self.handle, prefetch=PREFETCH)

    async def handle(self, delivery: Delivery) -> None:
        """Notify, tell the tracker, acknowledge."""
        metrics.consumed(delivery.queue).inc()
        try:
            event = Event.decode(delivery.body)
            await self._notify(event)
        except BadMessage as error:
            log.warning("message_refused", extra={"queue": delivery.queue, "error": str(error)})
            await dead_letters.bury(
                self._broker, delivery, error, reason=dead_letters.BAD_MESSAGE, attempt=1, by=self._instance
            )
        except BrokerUnavailable as error:
            log.warning("publish_unconfirmed", extra={"error": str(error)})
            delivery.reject(requeue=True)
        else:
            delivery.ack()

    async def _notify(self, event: Event) -> None:
        notification = Notification(f"{event.job_id}:{event.generation}", event)
        if notification.id not in self._sent:
            await self._send(notification)
        now = time.time()
        notified = event.model_copy(
            update={"name": "job.notified", "at": now, "clock": {**event.clock, "notified": now}}
        )
        await self._broker.publish(event_envelope(notified))

    async def _send(self, notification: Notification) -> None:
        self._remember(notification.id)  # first: a duplicate may come while this one is on its way
        try:
            for channel in self._channels:
                await channel.send(notification)
        except BaseException:
            self._sent.pop(notification.id, None)
            raise
        metrics.notifications.labels(notification.outcome).inc()

    def _remember(self, notification_id: str) -> None:
        self._sent[notification_id] = None
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
