"""Publishes that wait for the broker's confirm, by delivery tag.

The broker numbers the publishes of a channel from 1 and confirms them singly or up to a number. A message
that no queue took is returned first and confirmed right after, so returns are matched by message id.

See https://www.rabbitmq.com/docs/confirms
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass

from services.common.errors import BrokerUnavailable, QueueLabError, Unroutable


@dataclass(frozen=True, slots=True)
class _Publish:
    message_id: str
    sent_at: float
    outcome: asyncio.Future[None]


class Confirms:
    """The window of one channel's unconfirmed publishes."""

    def __init__(self) -> None:
        self._last_tag = 0
        self._waiting: dict[int, _Publish] = {}
        self._returned: list[str] = []

    def add(self, message_id: str) -> asyncio.Future[None]:
        """Note a publish just sent; the future ends with its confirm."""
        self._last_tag += 1
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[self._last_tag] = _Publish(message_id, time.monotonic(), outcome)
        return outcome

    def returned(self, message_id: str) -> None:
        """Note that a mandatory message reached no queue."""
        self._returned.append(message_id)

    def confirmed(self, tag: int, *, multiple: bool) -> None:
        """Settle a publish, or all up to it."""
        for publish in self._take(tag, multiple=multiple):
            if publish.message_id in self._returned:
                self._returned.remove(publish.message_id)
                _fail(publish, Unroutable())
            elif not publish.outcome.done():
                publish.outcome.set_result(None)

    def refused(self, tag: int, *, multiple: bool) -> None:
        """Fail a publish, or all up to it: a queue is full, or could not store it."""
        for publish in self._take(tag, multiple=multiple):
            _fail(publish, BrokerUnavailable("RabbitMQ refused the message: the queue is full"))

    def expire(self, age_s: float) -> None:
        """Fail all that were sent more than `age_s` seconds ago; a confirm that still comes is ignored."""
        due = time.monotonic() - age_s
        # In the order in which they were sent, so the first one that is young enough ends the search.
        late = list(itertools.takewhile(lambda tag: self._waiting[tag].sent_at < due, self._waiting))
        for tag in late:
            _fail(self._waiting.pop(tag), BrokerUnavailable(f"no confirm within {age_s:g} s"))

    def lost(self, error: QueueLabError) -> None:
        """Fail all that is still unconfirmed, and start numbering anew."""
        waiting, self._waiting = self._waiting, {}
        self._last_tag = 0
        self._returned.clear()
        for publish in waiting.values():
            _fail(publish, error)

    def _take(self, tag: int, *, multiple: bool) -> list[_Publish]:
        if not multiple:
            publish = self._waiting.pop(tag, None)
            return [publish] if publish else []
        tags = [waiting for waiting in self._waiting if waiting <= tag]
        return [self._waiting.pop(waiting) for waiting in tags]


def _fail(publish: _Publish, error: QueueLabError) -> None:
    if not publish.outcome.done():
        publish.outcome.set_exception(error)
        # Who published may have given up waiting; then nobody reads this, and that is no fault.
        publish.outcome.exception()


def failed(error: QueueLabError) -> asyncio.Future[None]:
    """Return the outcome of a publish that failed before it was sent."""
    outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    outcome.set_exception(error)
    outcome.exception()  # read, in case that who published does not wait for it
    return outcome
