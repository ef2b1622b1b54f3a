"""Jobs and events to test with: whole by default, changed where a test says so."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from services.common.jobs import NewJob
from services.common.messages import Event, Heartbeat, Job, JobEvent, Output, WebhookAttempt

_numbers = itertools.count(1)

THUMBNAIL = Output(
    name="thumbnail", key="results/j/thumbnail", content_type="image/jpeg", size=900, width=128, height=96
)
RESULT = Output(
    name="result", key="results/j/result", content_type="image/jpeg", size=9000, width=800, height=600
)


def new_id() -> str:
    """Return a job id that no other test has."""
    return f"job-{uuid.uuid4().hex[:12]}"


def job(**changes: Any) -> Job:  # noqa: ANN401  (any field of a job)
    """Return an image job."""
    fields: dict[str, Any] = {
        "job_id": new_id(),
        "kind": "image",
        "operations": "resize,800x600",
        "filename": "cat.jpg",
        "original_key": "originals/cat",
        "clock": {"accepted": 100.0, "published": 101.0},
    }
    return Job(**(fields | changes))


def text_job(**changes: Any) -> Job:  # noqa: ANN401  (any field of a job)
    """Return a text job that takes no time."""
    fields: dict[str, Any] = {
        "job_id": new_id(),
        "kind": "text",
        "clock": {"accepted": 100.0, "published": 101.0},
    }
    return Job(**(fields | changes))


def event(name: JobEvent, job_id: str = "", **changes: Any) -> Event:  # noqa: ANN401  (any field of an event)
    """Return an event of attempt 1; each has another time."""
    number = next(_numbers)
    fields: dict[str, Any] = {
        "name": name,
        "job_id": job_id or new_id(),
        "kind": "image",
        "generation": 1,
        "attempt": 1,
        "at": 1000.0 + number,
        "operations": "resize,800x600",
        "filename": "cat.jpg",
        "original_key": "originals/cat",
        "clock": {"accepted": 100.0, "published": 101.0},
    }
    if name in ("job.started", "job.retrying", "job.completed"):
        fields |= {"worker": "worker-1", "queue": "image.jobs"}
        fields["clock"] = {**fields["clock"], "started": 102.0}
    if name == "job.completed":
        fields["outputs"] = (RESULT, THUMBNAIL)
    if name == "job.failed":
        fields |= {"reason": "permanent", "error_code": "broken_image", "error_message": "not an image"}
    if name == "job.retrying":
        fields |= {"error_code": "storage_unavailable", "error_message": "no answer", "retry_in_s": 1.0}
    return Event(**(fields | changes))


def new_job(**changes: Any) -> NewJob:  # noqa: ANN401  (any field of a new row)
    """Return what the API inserts."""
    fields: dict[str, Any] = {
        "job_id": new_id(),
        "kind": "image",
        "operations": "resize,800x600",
        "filename": "cat.jpg",
        "original_key": "originals/cat",
        "file_size": 12345,
        "priority": 0,
        "created_at": 100.0,
    }
    return NewJob(**(fields | changes))


def attempt(job_id: str, number: int = 1, **changes: Any) -> WebhookAttempt:  # noqa: ANN401  (any field)
    """Return an attempt that failed and will be made again."""
    fields: dict[str, Any] = {
        "attempt_id": uuid.uuid4().hex,
        "webhook_id": f"{job_id}:1",
        "job_id": job_id,
        "generation": 1,
        "type": "job.completed",
        "attempt": number,
        "at": 1000.0 + number,
        "duration_s": 0.25,
        "outcome": "retrying",
        "status_code": 500,
        "error_code": "bad_status",
        "error_message": "the receiver answered 500",
        "retry_in_s": 1.0,
    }
    return WebhookAttempt(**(fields | changes))


def heartbeat(instance: str = "worker-1", **changes: Any) -> Heartbeat:  # noqa: ANN401  (any field)
    """Return what a worker says that has done nothing yet."""
    fields: dict[str, Any] = {
        "instance": instance,
        "host": "here",
        "pid": 1,
        "url": "http://127.0.0.1:1",
        "at": 1.0,
        "started_at": 0.5,
        "queues": ("image.jobs",),
        "prefetch": 1,
        "concurrency": 1,
        "state": "idle",
        "done": 0,
        "failed": 0,
        "retried": 0,
    }
    return Heartbeat(**(fields | changes))
