"""The envelope of each record: exchange, routing key, message id and whether somebody must receive it."""

from __future__ import annotations

import uuid

from services.common.broker import Outgoing
from services.common.messages import Changes, Event, Heartbeat, Job, Webhook, WebhookAttempt
from services.common.topology import ATTEMPTED, CHANGED, EVENTS, HEARTBEAT, JOBS, NOTIFIER_WEBHOOKS, WEBHOOKS


def job_envelope(job: Job, queue: str) -> Outgoing:
    """Return a job on its way to a work or retry queue; without a queue it is refused, never dropped."""
    return Outgoing(
        exchange=JOBS,
        routing_key=queue,
        body=job.encode(),
        message_id=job.job_id,
        priority=job.priority,
        mandatory=True,
    )


def event_envelope(event: Event) -> Outgoing:
    """Return an event on its way to the tracker, and to all who listen."""
    return Outgoing(
        exchange=EVENTS,
        routing_key=event.name,
        body=event.encode(),
        message_id=event.event_id,
        mandatory=True,
    )


def changes_envelope(changes: Changes) -> Outgoing:
    """Return a commit's changes on their way to live clients, if there are any."""
    return Outgoing(exchange=EVENTS, routing_key=CHANGED, body=changes.encode(), message_id=uuid.uuid4().hex)


def webhook_envelope(webhook: Webhook, queue: str = NOTIFIER_WEBHOOKS) -> Outgoing:
    """Return a webhook on its way to the notifier that sends it, or to a retry queue."""
    return Outgoing(
        exchange=WEBHOOKS,
        routing_key=queue,
        body=webhook.encode(),
        message_id=webhook.webhook_id,
        mandatory=True,
    )


def attempt_envelope(attempt: WebhookAttempt) -> Outgoing:
    """Return the outcome of an attempt on its way to the tracker."""
    return Outgoing(
        exchange=EVENTS,
        routing_key=ATTEMPTED,
        body=attempt.encode(),
        message_id=attempt.attempt_id,
        mandatory=True,
    )


def heartbeat_envelope(heartbeat: Heartbeat) -> Outgoing:
    """Return a heartbeat on its way to whoever watches."""
    return Outgoing(
        exchange=EVENTS, routing_key=HEARTBEAT, body=heartbeat.encode(), message_id=uuid.uuid4().hex
    )
