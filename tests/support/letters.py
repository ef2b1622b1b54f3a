"""Dead letters, put where a worker puts them."""

from __future__ import annotations

from dataclasses import replace

from services.common.broker import Outgoing
from services.common.dead_letters import DeadLetter
from services.common.messages import Event
from services.common.topology import DEAD
from tests.support.api import Api, answer

ABOUT = DeadLetter(
    reason="permanent",
    error_code="truncated_image",
    error_message="the image ends too early",
    attempt=1,
    origin="image.jobs",
    worker="worker-1",
    at=1_700_000_000.0,
)


def bury(api: Api, body: bytes, message_id: str, at: float = ABOUT.at) -> None:
    """Put a message into the dead-letter queue as a worker does."""
    message = Outgoing(
        exchange=DEAD,
        routing_key="image.jobs",
        body=body,
        message_id=message_id,
        headers=replace(ABOUT, at=at).headers(),
    )
    api.publish(message)


def failed_job(api: Api) -> str:
    """Upload a picture and let its job fail, as worker and tracker would have it."""
    job_id = str(answer(api.upload())["job_id"])
    [job] = api.jobs()
    bury(api, job.encode(), job_id)
    failed = Event.of(job, "job.failed", attempt=1, clock=job.clock, reason="permanent")
    api.table.apply([failed])
    return job_id
