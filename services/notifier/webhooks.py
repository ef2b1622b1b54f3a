"""From the end of a job to a webhook in a queue: what happens to it there holds up no other notification."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from services.common.broker import Broker
from services.common.envelopes import webhook_envelope
from services.common.messages import STATUS_AFTER, Event, Webhook, WebhookType
from services.notifier.notifier import Notification


class WebhookChannel:
    """Puts a webhook for each notification whose job has a callback_url in line."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def send(self, notification: Notification) -> None:
        """Return when the broker has the webhook; raise `BrokerUnavailable` when that is not known."""
        if notification.event.callback_url:
            await self._broker.publish(webhook_envelope(webhook_of(notification)))


def webhook_of(notification: Notification) -> Webhook:
    """Return the first attempt's message; its body stays the same in all attempts."""
    event = notification.event
    kind: WebhookType = "job.completed" if event.name == "job.completed" else "job.failed"
    payload = {"type": kind, "timestamp": _iso(event.at), "data": _data(event)}
    return Webhook(
        webhook_id=notification.id,
        job_id=event.job_id,
        generation=event.generation,
        type=kind,
        callback_url=event.callback_url,
        body=json.dumps(payload, ensure_ascii=False, separators=(",", ":")),
    )


def _data(event: Event) -> dict[str, Any]:
    """Return the job in the words of GET /jobs/{id}; links are relative to the API."""
    job = f"/jobs/{event.job_id}"
    return {
        "job_id": event.job_id,
        "kind": event.kind,
        "status": STATUS_AFTER[event.name],
        "generation": event.generation,
        "attempts": event.attempt,
        "operations": event.operations.split(";") if event.operations else [],
        "file_name": event.filename or None,
        "reason": event.reason,
        "error_code": event.error_code,
        "error_message": event.error_message,
        "outputs": [
            {**output.model_dump(exclude={"key"}), "link": f"{job}/{output.name}"} for output in event.outputs
        ],
        "links": {"job": job},
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
