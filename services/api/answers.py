"""The answers as the OpenAPI document describes them; the views make them, and a test compares both."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.api.openapi import ErrorAnswer
from services.common.jobs import Role
from services.common.messages import Kind, Output, Stage, Status, WebhookOutcome, WebhookType
from services.common.topology import Layout

Links = dict[str, str]
WebhookStatus = WebhookOutcome | Literal["none", "waiting"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Index(_Answer):
    """The name, the version and the routes of this API."""

    name: str
    version: str
    links: Links


class Registered(_Answer):
    """An account that was made."""

    username: str
    role: Role


class LoggedIn(_Answer):
    """A token, good for `expires_in` seconds."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int
    username: str
    role: Role


class Me(_Answer):
    """Who asks; with auth off everybody is an admin without a name."""

    auth: Literal["off", "required"]
    username: str | None
    role: Role


class Accepted(_Answer):
    """A job that was accepted."""

    job_id: str
    id: str
    filename: str
    status: Status
    operations: list[str]
    message: str
    links: Links


class Permitted(_Answer):
    """A job that was announced, and the one request that brings its file."""

    job_id: str
    id: str
    filename: str
    status: Literal["pending"]
    operations: list[str]
    method: Literal["PUT"]
    url: str
    headers: dict[str, str]
    expires_at: str
    max_bytes: int
    bucket: str
    key: str
    message: str
    links: Links


class Taken(_Answer):
    """An image that the classic gallery API took."""

    id: int
    filename: str
    status: Literal["pending"]
    message: str


class ClassicImage(_Answer):
    """An image as the classic gallery API shows it."""

    id: int
    filename: str
    status: Literal["pending", "processing", "completed", "failed"]
    original_path: str | None
    thumbnail_path: str | None
    created_at: str
    processed_at: str | None


class HeardRecord(_Answer):
    """One object of a storage event, and what came of it."""

    key: str
    outcome: str
    job_id: str | None


class Heard(_Answer):
    """A message of SNS that was taken."""

    type: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]
    message_id: str
    confirmed: bool
    records: list[HeardRecord]


class Refused(ErrorAnswer):
    """A file of a batch that was refused."""

    filename: str


class BatchAccepted(_Answer):
    """The files of a batch, in their order: each one's job, or why it was refused."""

    batch_id: str
    jobs: list[Accepted | Refused]


class Produced(_Answer):
    """A text job that was accepted."""

    status: Literal["success"]
    message_id: str
    timestamp: str


class BatchProduced(_Answer):
    """Text jobs that were accepted."""

    status: Literal["success"]
    messages_produced: int
    message_ids: list[str]


class LinkedOutput(Output):
    """A file that a job made."""

    link: str


class JobAnswer(_Answer):
    """One job."""

    job_id: str
    id: str
    kind: Kind
    status: Status
    operations: list[str]
    timestamp: str
    file_name: str | None
    file_size: int | None
    attempts: int
    generation: int
    priority: int
    worker: str | None
    queue: str | None
    reason: str | None
    error_code: str | None
    error_message: str | None
    clock: dict[Stage, float]
    durations_ms: dict[str, float]
    outputs: list[LinkedOutput]
    links: Links


class JobPage(_Answer):
    """A page of jobs; the cursor leads to the next one."""

    jobs: list[JobAnswer]
    next_cursor: int | None


class Batch(JobPage):
    """How far a batch is."""

    batch_id: str
    total: int
    done: int
    counts: dict[Status, int]


class Attempt(_Answer):
    """One POST to the receiver of a job."""

    webhook_id: str
    type: WebhookType
    generation: int
    attempt: int
    timestamp: str
    duration_ms: float
    outcome: WebhookOutcome
    status_code: int | None
    error_code: str | None
    error_message: str | None
    retry_in_s: float | None


class Webhooks(_Answer):
    """How the receiver of a job was told of its end; none: nobody wants to be told."""

    job_id: str
    callback_url: str | None
    status: WebhookStatus
    attempts: list[Attempt]


class Depth(_Answer):
    """What waits in a queue, and who consumes it."""

    name: str
    ready: int
    consumers: int


class Worker(_Answer):
    """What a worker does, by its newest heartbeat."""

    instance: str
    host: str
    state: Literal["idle", "busy", "stopping"]
    queues: list[str]
    job_ids: list[str]
    stage: str | None
    done: int
    failed: int
    retried: int
    prefetch: int
    concurrency: int
    started_at: str
    silent_s: float


class Workers(_Answer):
    """The workers that are heard."""

    workers: list[Worker]


class FaultsAnswer(_Answer):
    """What goes wrong on purpose."""

    active: bool
    fail_rate: float
    delays_s: dict[str, float]
    store_latency_s: float


class Argument(_Answer):
    """One argument of an operation; `many` stands for any number of them."""

    name: str
    default: str | None
    required: bool
    many: bool


class OperationAnswer(_Answer):
    """What can be done to an image."""

    name: str
    summary: str
    examples: list[str]
    arguments: list[Argument]


class Operations(_Answer):
    """All that can be done to an image, and how much of it one job may ask for."""

    operations: list[OperationAnswer]
    default: str
    max_operations: int


class Checked(_Answer):
    """Operations as they were understood, one by one and as one text."""

    operations: list[str]
    canonical: str


class Queues(_Answer):
    """The queues, and how image jobs are spread over them."""

    layout: Layout
    queues: list[Depth]


BYTES: dict[str, Any] = {
    "description": "the bytes, with an ETag",
    "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
}
