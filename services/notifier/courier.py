"""Webhooks from their queue to their receivers, in several attempts.

The wait between two attempts is spent in a queue of the broker, so it outlives this program. Each receiver
has a few lanes. What would wait too long for one goes through a retry queue meanwhile, without counting as
an attempt: so a receiver that is dead or slow fills neither the lanes nor the hands of others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import get_args

from services.common import dead_letters, metrics
from services.common.broker import Broker, Delivery, Subscription
from services.common.envelopes import attempt_envelope, webhook_envelope
from services.common.errors import BadMessage, BrokerUnavailable
from services.common.messages import Webhook, WebhookAttempt, WebhookOutcome
from services.common.targets import origin
from services.common.topology import NOTIFIER_WEBHOOKS, RETRY_DELAYS_S, retry_queue
from services.notifier.poster import FINAL, Posted, Poster

log = logging.getLogger(__name__)

PREFETCH = 500
IN_LINE = 40
"""Webhooks for one receiver that are held here, under way or waiting for a lane."""
DRAIN_S = 5.0


@dataclass(slots=True)
class _Receiver:
    lanes: asyncio.Semaphore
    held: int = 0
    failing: bool = False

    @property
    def pause_s(self) -> int:
        """How long to leave what is too much: long when nothing gets through, since each return costs."""
        return RETRY_DELAYS_S[-1 if self.failing else 0]


class Courier:
    """Makes `at_once` attempts at a time, `per_host` of them to one receiver."""

    def __init__(self, broker: Broker, poster: Poster, *, at_once: int, per_host: int, instance: str) -> None:
        self._broker = broker
        self._poster = poster
        self._all = asyncio.Semaphore(at_once)
        self._per_host = per_host
        self._instance = instance
        self._receivers: dict[str, _Receiver] = {}
        self._under_way: set[asyncio.Task[object]] = set()
        self._subscription: Subscription | None = None
        self._stopping = False

    async def start(self) -> None:
        """Begin to consume."""
        for outcome in get_args(WebhookOutcome):
            metrics.webhook_attempts.labels(outcome)  # shown at zero: a rate needs the value before the first
        self._subscription = await self._broker.consume(NOTIFIER_WEBHOOKS, self.handle, prefetch=PREFETCH)

    async def stop(self) -> None:
        """Take no more, and let the attempts under way end; the rest goes back to its queue."""
        self._stopping = True
        if self._subscription:
            await self._subscription.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=DRAIN_S)

    async def handle(self, delivery: Delivery) -> None:
        """Make an attempt, tell the tracker, see to the next one, acknowledge."""
        metrics.consumed(delivery.queue).inc()
        try:
            webhook = Webhook.decode(delivery.body)
            await self._see_to(delivery, webhook)
        except BadMessage as error:
            log.warning("message_refused", extra={"queue": delivery.queue, "error": str(error)})
            await dead_letters.bury(
                self._broker, delivery, error, reason=dead_letters.BAD_MESSAGE, attempt=1, by=self._instance
            )
        except BrokerUnavailable as error:
            # The receiver may get it twice, with the same id.
            log.warning("publish_unconfirmed", extra={"error": str(error)})
            delivery.reject(requeue=True)

    async def _see_to(self, delivery: Delivery, webhook: Webhook) -> None:
        receiver = self._receivers.setdefault(
            origin(webhook.callback_url), _Receiver(asyncio.Semaphore(self._per_host))
        )
        if receiver.held >= IN_LINE:
            await self._send_later(webhook, receiver.pause_s)
            delivery.ack()
            return
        async with self._lane(receiver, webhook):
            if self._stopping:
                return  # not settled: it goes back to its queue with the connection
            receiver.failing = not await self._attempt(webhook)
            delivery.ack()

    @contextlib.asynccontextmanager
    async def _lane(self, receiver: _Receiver, webhook: Webhook) -> AsyncIterator[None]:
        receiver.held += 1
        try:
            async with receiver.lanes, self._all:
                yield
        finally:
            receiver.held -= 1
            if not receiver.held:
                self._receivers.pop(origin(webhook.callback_url), None)

    async def _attempt(self, webhook: Webhook) -> bool:
        """Make an attempt, to its end; return whether the receiver took it."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        self._under_way.add(task)
        try:
            posted = await self._poster.post(webhook)
            await self._conclude(webhook, posted)
            return posted.error_code is None
        finally:
            self._under_way.discard(task)

    async def _conclude(self, webhook: Webhook, posted: Posted) -> None:
        attempt = concluded(webhook, posted)
        metrics.webhook_attempts.labels(attempt.outcome).inc()
        metrics.webhook_seconds.observe(posted.duration_s)
        _say(attempt, origin(webhook.callback_url))
        # The record first: with the next attempt on its way, a failure here would begin a second ladder.
        await self._broker.publish(attempt_envelope(attempt))
        if attempt.retry_in_s is not None:
            following = webhook.model_copy(update={"attempt": webhook.attempt + 1})
            await self._send_later(following, int(attempt.retry_in_s))

    async def _send_later(self, webhook: Webhook, delay_s: int) -> None:
        await self._broker.publish(webhook_envelope(webhook, retry_queue(NOTIFIER_WEBHOOKS, delay_s)))


def concluded(webhook: Webhook, posted: Posted) -> WebhookAttempt:
    """Return the record of an attempt: delivered, tried again after 1, 5 and 15 s, or given up."""
    retry_in_s = None
    outcome: WebhookOutcome = "delivered" if posted.error_code is None else "failed"
    if outcome == "failed" and posted.error_code not in FINAL and webhook.attempt <= len(RETRY_DELAYS_S):
        outcome, retry_in_s = "retrying", float(RETRY_DELAYS_S[webhook.attempt - 1])
    return WebhookAttempt(
        attempt_id=uuid.uuid4().hex,
        webhook_id=webhook.webhook_id,
        job_id=webhook.job_id,
        generation=webhook.generation,
        type=webhook.type,
        attempt=webhook.attempt,
        at=posted.at,
        duration_s=posted.duration_s,
        outcome=outcome,
        status_code=posted.status_code,
        error_code=posted.error_code,
        error_message=posted.error_message,
        retry_in_s=retry_in_s,
    )


def _say(attempt: WebhookAttempt, receiver: str) -> None:
    about = {
        "job_id": attempt.job_id,
        "webhook_id": attempt.webhook_id,
        "attempt": attempt.attempt,
        "receiver": receiver,
        "status_code": attempt.status_code,
        "error_code": attempt.error_code,
    }
    if attempt.outcome == "delivered":
        log.info("webhook_delivered", extra=about)
    elif attempt.outcome == "retrying":
        log.info("webhook_retried", extra=about)
    else:
        log.warning("webhook_failed", extra=about)
