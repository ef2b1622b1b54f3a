"""The messages that cross the broker: frozen, versioned records that encode and decode themselves.

Readers ignore fields they do not know, so a field can be added without a new version; a changed meaning
needs one. `docs/messages.md` shows every field and is held to this module by a test.

Times are seconds since the epoch (UTC) as floats, durations are seconds, sizes are bytes or pixels.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.common.errors import BadMessage

JobId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Kind = Literal["image", "text"]
Status = Literal["pending", "queued", "processing", "retrying", "completed", "failed"]
Stage = Literal["accepted", "published", "started", "fetched", "processed", "stored", "finished", "notified"]
Clock = dict[Stage, float]

MAX_COUNT = 1_000_000
"""No job has more generations or attempts; an event counts on from there by what the broker counted."""

MAX_BYTES = 2**53
"""No object is larger; a number beyond it is not the same for every reader of JSON."""

MAX_URL = 2000

WebhookType = Literal["job.completed", "job.failed"]
WebhookOutcome = Literal["delivered", "retrying", "failed"]

JobEvent = Literal[
    "job.queued",
    "job.started",
    "job.retrying",
    "job.completed",
    "job.failed",
    "job.notified",
]

RANK: dict[Status, int] = {
    "pending": 0,
    "queued": 1,
    "processing": 2,
    "retrying": 3,
    "completed": 4,
    "failed": 4,
}
"""Within one attempt a status only moves up; completed and failed are final until a replay."""

STATUS_AFTER: dict[JobEvent, Status] = {
    "job.queued": "queued",
    "job.started": "processing",
    "job.retrying": "retrying",
    "job.completed": "completed",
    "job.failed": "failed",
}
"""What each event makes of a job; `job.notified` moves no status."""


class Message(BaseModel):
    """A record on the wire: JSON, UTF-8, one version number."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    version: Literal[1] = Field(default=1, description="version of this record's meaning")

    def encode(self) -> bytes:
        """Return the record as JSON bytes."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the record from JSON bytes; raise `BadMessage` naming the first field that is wrong."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            raise BadMessage(f"{cls.__name__}: {where}: {first['msg']}") from error


class Job(Message):
    """One unit of work on a work queue; kept as it is in the dead-letter queue, so it can be replayed."""

    job_id: JobId = Field(description="chosen by the API; the result's object key is made from it")
    kind: Kind = Field(description="image: transform an object; text: hold a consumer for a while")
    generation: int = Field(
        default=1, ge=1, le=MAX_COUNT, description="1, and one more for each replay or manual retry"
    )
    attempt: int = Field(
        default=0, ge=0, le=MAX_COUNT, description="attempts that the retry queues already account for"
    )
    operations: str = Field(
        default="", max_length=1000, description="canonical text, e.g. rotate,90;resize,800x600"
    )
    filename: str = Field(default="", max_length=300, description="as the client named it, cleaned")
    original_key: str = Field(default="", max_length=200, description="object key of the uploaded bytes")
    payload: Any = Field(default=None, description="text jobs: any JSON value, carried but not read")
    processing_time_s: float = Field(
        default=0, ge=0, le=3600, description="text jobs: how long the work takes"
    )
    priority: int = Field(default=0, ge=0, le=9, description="0 lowest to 9; brokers before 4.0 ignore it")
    callback_url: str = Field(
        default="", max_length=MAX_URL, description="where the end of the job is told; empty: nowhere"
    )
    clock: Clock = Field(default_factory=dict, description="stage clock so far")


class Output(BaseModel):
    """One object that a job produced."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    name: str = Field(max_length=60, description="result, thumbnail or thumbnail-64")
    key: str = Field(max_length=200, description="object key")
    content_type: str = Field(max_length=100, description="media type")
    size: int = Field(ge=0, le=MAX_BYTES, description="bytes")
    width: int = Field(ge=0, description="pixels")
    height: int = Field(ge=0, description="pixels")


class Event(Message):
    """Something that happened to a job; published to `lab.events` with its name as the routing key."""

    name: JobEvent = Field(description="the routing key")
    job_id: JobId = Field(description="the job that it happened to")
    kind: Kind = Field(description="as in the job")
    generation: int = Field(ge=1, le=MAX_COUNT, description="as in the job")
    attempt: int = Field(ge=1, le=2 * MAX_COUNT, description="this attempt's number within the generation")
    at: float = Field(description="when it happened, by the clock of the service that says so")
    operations: str = Field(default="", max_length=1000, description="as in the job")
    filename: str = Field(default="", max_length=300, description="as in the job")
    original_key: str = Field(default="", max_length=200, description="as in the job")
    priority: int = Field(default=0, ge=0, le=9, description="as in the job")
    callback_url: str = Field(default="", max_length=MAX_URL, description="as in the job")
    worker: str | None = Field(default=None, max_length=100, description="instance that did the work")
    queue: str | None = Field(
        default=None, max_length=100, description="work queue that the job came through"
    )
    redelivered: bool = Field(default=False, description="the broker had handed this message out before")
    clock: Clock = Field(default_factory=dict, description="stage clock so far")
    outputs: tuple[Output, ...] = Field(default=(), description="completed only")
    reason: str | None = Field(default=None, max_length=40, description="failed: why it was dead-lettered")
    error_code: str | None = Field(
        default=None, max_length=40, description="failed, retrying: stable short word"
    )
    error_message: str | None = Field(
        default=None, max_length=500, description="failed, retrying: for people"
    )
    retry_in_s: float | None = Field(default=None, description="retrying only: delay of the retry queue")

    @classmethod
    def of(cls, job: Job, name: JobEvent, *, attempt: int, clock: Clock, **more: Any) -> Self:  # noqa: ANN401
        """Return an event of `job`; `more` are this class's own fields. It happens now."""
        return cls(
            name=name,
            job_id=job.job_id,
            kind=job.kind,
            generation=job.generation,
            attempt=attempt,
            at=time.time(),
            operations=job.operations,
            filename=job.filename,
            original_key=job.original_key,
            priority=job.priority,
            callback_url=job.callback_url,
            clock=clock,
            **more,
        )

    @property
    def event_id(self) -> str:
        """Stable identity: a duplicate of this event has the same one."""
        return f"{self.job_id}:{self.generation}:{self.attempt}:{self.name}"


class Change(BaseModel):
    """A job after a change, as live clients see it."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    seq: int = Field(ge=1, description="place in the order of all changes; resume with seq > last seen")
    job_id: JobId = Field(description="the job that changed")
    kind: Kind = Field(description="as in the job")
    status: Status = Field(description="its status now")
    generation: int = Field(description="its generation now")
    attempt: int = Field(description="its attempt now")
    operations: str = Field(default="", description="as in the job")
    filename: str = Field(default="", description="as in the job")
    batch_id: str | None = Field(default=None, description="the batch that it was uploaded in")
    user_id: str | None = Field(default=None, description="whose job it is")
    worker: str | None = Field(default=None, description="instance that works or worked on it")
    reason: str | None = Field(default=None, description="failed: why it was dead-lettered")
    error_code: str | None = Field(default=None, description="failed, retrying: stable short word")
    error_message: str | None = Field(default=None, description="failed, retrying: for people")
    clock: Clock = Field(default_factory=dict, description="stage clock so far")


class Changes(Message):
    """The jobs that one commit of the tracker changed; without rows it only says how far the table is.

    Who has not seen the change `after` has missed something, and reads the table from the last it has seen.
    """

    after: int = Field(default=0, ge=0, description="seq of the latest change before these; 0: there is none")
    rows: tuple[Change, ...] = Field(default=(), description="each job once, in the order of seq")
    ended: tuple[JobId, ...] = Field(
        default=(), description="those of these jobs that this commit moved to completed or failed"
    )


class Heartbeat(Message):
    """What a worker is doing, once a second; routing key `worker.heartbeat`."""

    instance: str = Field(description="name in logs and on the monitor, e.g. worker-2")
    host: str = Field(description="name of the machine or container")
    pid: int = Field(description="process id there")
    url: str = Field(description="base address of its /health and /metrics")
    at: float = Field(description="when this was written")
    started_at: float = Field(description="when the worker started")
    queues: tuple[str, ...] = Field(description="work queues it consumes")
    prefetch: int = Field(
        description="unacknowledged messages that each queue hands out to it; 0 means unlimited"
    )
    concurrency: int = Field(description="jobs that it works on at once")
    state: Literal["idle", "busy", "stopping"] = Field(
        description="whether a job is in hand; stopping: it takes no more"
    )
    job_ids: tuple[str, ...] = Field(default=(), description="jobs in hand")
    stage: str = Field(
        default="", max_length=40, description="what the oldest job in hand is at: fetch, process, store"
    )
    done: int = Field(description="jobs completed since it started")
    failed: int = Field(description="jobs dead-lettered since it started")
    retried: int = Field(description="jobs sent to a retry queue since it started")


class Webhook(Message):
    """The end of a job on its way to the receiver that its client named; signed anew for each attempt."""

    webhook_id: str = Field(max_length=100, description="the same in all attempts and in duplicates")
    job_id: JobId = Field(description="the job that ended")
    generation: int = Field(ge=1, le=MAX_COUNT, description="as in the job")
    type: WebhookType = Field(description="how it ended")
    callback_url: str = Field(max_length=MAX_URL, description="http or https, without a login in it")
    body: str = Field(max_length=100_000, description="the JSON to send, byte for byte as it is signed")
    attempt: int = Field(default=1, ge=1, le=MAX_COUNT, description="number of the attempt to make")


class WebhookAttempt(Message):
    """What became of one POST to a receiver; routing key `webhook.attempted`."""

    attempt_id: str = Field(max_length=64, description="unique for each POST; a duplicate of this has it too")
    webhook_id: str = Field(max_length=100, description="as in the webhook")
    job_id: JobId = Field(description="as in the webhook")
    generation: int = Field(ge=1, le=MAX_COUNT, description="as in the webhook")
    type: WebhookType = Field(description="as in the webhook")
    attempt: int = Field(ge=1, le=MAX_COUNT, description="as in the webhook")
    at: float = Field(description="when the attempt began")
    duration_s: float = Field(ge=0, description="how long it took")
    outcome: WebhookOutcome = Field(description="delivered; retrying, after retry_in_s; failed for good")
    status_code: int | None = Field(default=None, description="what the receiver answered")
    error_code: str | None = Field(default=None, max_length=40, description="stable short word")
    error_message: str | None = Field(default=None, max_length=500, description="for people")
    retry_in_s: float | None = Field(default=None, description="retrying only: delay of the retry queue")
