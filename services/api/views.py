"""Rows of the job table as the JSON that clients see. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from services.api.answers import WebhookStatus
from services.api.intake import Receipt
from services.api.letters import Letter
from services.common.control import Faults
from services.common.jobs import JobRow
from services.common.messages import Change, Clock, Kind, Stage, WebhookAttempt
from services.common.roster import Heard

_STAGES: tuple[tuple[str, Stage, Stage], ...] = (
    ("accept", "accepted", "published"),
    ("queue_wait", "published", "started"),
    ("fetch", "started", "fetched"),
    ("process", "fetched", "processed"),
    ("store", "processed", "stored"),
    ("finish", "stored", "finished"),
    ("notify", "finished", "notified"),
    ("total", "accepted", "finished"),
)


def iso(seconds: float) -> str:
    """Return a time as ISO 8601, UTC, milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def split(operations: str) -> list[str]:
    """Return canonical operations one by one."""
    return operations.split(";") if operations else []


def links(job_id: str, kind: Kind) -> dict[str, str]:
    """Return where a job and its bytes are found."""
    job = f"/jobs/{job_id}"
    found = {"status": f"/status/{job_id}", "job": job}
    if kind == "image":
        found |= {name: f"{job}/{name}" for name in ("original", "result", "thumbnail")}
    return found


def durations_ms(clock: Clock) -> dict[str, float]:
    """Return how long each stage took, milliseconds; a stage that is not over is left out.

    Services on several hosts stamp with their own clocks, so a stage between two of them may come out
    below zero there.
    """
    return {
        name: round((clock[end] - clock[begin]) * 1000, 3)
        for name, begin, end in _STAGES
        if begin in clock and end in clock
    }


def job_view(row: JobRow) -> dict[str, Any]:
    """Return one job."""
    return {
        "job_id": row.job_id,
        "id": row.job_id,
        "kind": row.kind,
        "status": row.status,
        "operations": split(row.operations),
        "timestamp": iso(row.created_at),
        "file_name": row.filename or None,
        "file_size": row.file_size,
        "attempts": row.attempt,
        "generation": row.generation,
        "priority": row.priority,
        "worker": row.worker,
        "queue": row.queue,
        "reason": row.reason,
        "error_code": row.error_code,
        "error_message": row.error_message,
        "clock": row.clock,
        "durations_ms": durations_ms(row.clock),
        "outputs": [
            {**output.model_dump(), "link": f"/jobs/{row.job_id}/{output.name}"} for output in row.outputs
        ],
        "links": links(row.job_id, row.kind) | _webhooks_link(row),
    }


def change_view(change: Change) -> dict[str, Any]:
    """Return a change of a job, in the words of `job_view`."""
    return {
        "type": "change",
        "seq": change.seq,
        "job_id": change.job_id,
        "kind": change.kind,
        "status": change.status,
        "generation": change.generation,
        "attempts": change.attempt,
        "operations": split(change.operations),
        "file_name": change.filename or None,
        "batch_id": change.batch_id,
        "worker": change.worker,
        "reason": change.reason,
        "error_code": change.error_code,
        "error_message": change.error_message,
        "clock": change.clock,
    }


def webhooks_view(row: JobRow, attempts: Sequence[WebhookAttempt]) -> dict[str, Any]:
    """Return how the receiver of a job was told of its end."""
    return {
        "job_id": row.job_id,
        "callback_url": row.callback_url,
        "status": _webhook_status(row, attempts),
        "attempts": [attempt_view(attempt) for attempt in attempts],
    }


def attempt_view(attempt: WebhookAttempt) -> dict[str, Any]:
    """Return one POST to a receiver."""
    return {
        "webhook_id": attempt.webhook_id,
        "type": attempt.type,
        "generation": attempt.generation,
        "attempt": attempt.attempt,
        "timestamp": iso(attempt.at),
        "duration_ms": round(attempt.duration_s * 1000, 3),
        "outcome": attempt.outcome,
        "status_code": attempt.status_code,
        "error_code": attempt.error_code,
        "error_message": attempt.error_message,
        "retry_in_s": attempt.retry_in_s,
    }


def worker_view(heard: Heard) -> dict[str, Any]:
    """Return one worker as it was heard last."""
    beat = heard.beat
    return {
        "instance": beat.instance,
        "host": beat.host,
        "state": beat.state,
        "queues": list(beat.queues),
        "job_ids": list(beat.job_ids),
        "stage": beat.stage or None,
        "done": beat.done,
        "failed": beat.failed,
        "retried": beat.retried,
        "prefetch": beat.prefetch,
        "concurrency": beat.concurrency,
        "started_at": iso(beat.started_at),
        "silent_s": round(heard.silent_s, 3),
    }


def faults_view(faults: Faults) -> dict[str, Any]:
    """Return what goes wrong on purpose."""
    return {"active": faults.active, **faults.model_dump(exclude={"version"})}


def _webhook_status(row: JobRow, attempts: Sequence[WebhookAttempt]) -> WebhookStatus:
    """Return how far the webhook of the job's present generation is."""
    if not row.callback_url:
        return "none"
    outcomes = [attempt.outcome for attempt in attempts if attempt.generation == row.generation]
    return "delivered" if "delivered" in outcomes else outcomes[-1] if outcomes else "waiting"


def _webhooks_link(row: JobRow) -> dict[str, str]:
    return {"webhooks": f"/jobs/{row.job_id}/webhooks"} if row.callback_url else {}


def accepted_view(receipt: Receipt) -> dict[str, Any]:
    """Return a job that was just accepted."""
    return {
        "job_id": receipt.job_id,
        "id": receipt.job_id,
        "filename": receipt.filename,
        "status": receipt.status,
        "operations": split(receipt.operations),
        "message": "Accepted. Follow links.status until it says completed or failed.",
        "links": links(receipt.job_id, "image"),
    }


def letter_view(letter: Letter) -> dict[str, Any]:
    """Return one dead letter; what its bytes do not tell is null."""
    about, job = letter.about, letter.job
    return {
        "job_id": letter.job_id,
        "kind": job.kind if job else None,
        "operations": split(job.operations) if job else None,
        "generation": job.generation if job else None,
        "replays": job.generation - 1 if job else None,
        "reason": about.reason,
        "error_code": about.error_code,
        "error_message": about.error_message,
        "attempt": about.attempt,
        "origin": about.origin,
        "worker": about.worker or None,
        "at": iso(about.at) if about.at else None,
        "size": letter.size,
    }
