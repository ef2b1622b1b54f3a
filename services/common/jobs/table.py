"""The job table itself: its columns, the classic view of it, and how records become rows and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from services.common.messages import (
    MAX_URL,
    RANK,
    STATUS_AFTER,
    Change,
    Clock,
    Event,
    Kind,
    Output,
    Status,
)

metadata = sa.MetaData()

table = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.String(64), nullable=False, unique=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("filename", sa.String(300), nullable=False, default=""),
    sa.Column("operations", sa.String(1000), nullable=False, default=""),
    sa.Column("original_path", sa.String(200)),
    sa.Column("thumbnail_path", sa.String(200)),
    sa.Column("file_size", sa.BigInteger),
    sa.Column("thumbnail_size", sa.BigInteger),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False, default=1),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("seq", sa.BigInteger, nullable=False, default=0),
    sa.Column("priority", sa.Integer, nullable=False, default=0),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("processing_started_at", sa.Double),
    sa.Column("processed_at", sa.Double),
    sa.Column("notified_at", sa.Double),
    sa.Column("worker", sa.String(100)),
    sa.Column("queue", sa.String(100)),
    sa.Column("reason", sa.String(40)),
    sa.Column("error_code", sa.String(40)),
    sa.Column("error_message", sa.String(500)),
    sa.Column("user_id", sa.String(64)),
    sa.Column("batch_id", sa.String(64)),
    sa.Column("fingerprint", sa.String(64)),
    sa.Column("callback_url", sa.String(MAX_URL)),
    sa.Column("clock", sa.Text, nullable=False, default="{}"),
    sa.Column("outputs", sa.Text, nullable=False, default="[]"),
    sa.CheckConstraint(
        "status in ('pending', 'queued', 'processing', 'retrying', 'completed', 'failed')",
        name="status_is_known",
    ),
    sa.Index("jobs_by_seq", "seq"),
    sa.Index("jobs_by_status", "status", "id"),
    sa.Index("jobs_by_batch", "batch_id"),
    sa.Index("jobs_by_user", "user_id", "id"),
)

_CLASSIC_COLUMNS = (
    "id, filename, original_path, thumbnail_path, file_size, thumbnail_size, status, created_at, "
    "processing_started_at, processed_at, operations, error_message, user_id"
)
_CLASSIC_VIEW = f"select {_CLASSIC_COLUMNS} from jobs where kind = 'image'"  # noqa: S608  (constants)

# A view named images for those who bring queries from the classic gallery: image jobs only, its columns.
for _dialect, _create in (("sqlite", "create view if not exists"), ("postgresql", "create or replace view")):
    sa.event.listen(
        table,
        "after_create",
        sa.DDL(f"{_create} images as {_CLASSIC_VIEW}").execute_if(dialect=_dialect),  # type: ignore[no-untyped-call]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What the API knows of a job when it is born."""

    job_id: str
    kind: Kind
    operations: str
    filename: str
    original_key: str
    file_size: int
    priority: int
    created_at: float
    batch_id: str | None = None
    user_id: str | None = None
    callback_url: str = ""
    fingerprint: str | None = None
    """SHA-256 of what was sent, for uploads that carry an idempotency key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One job as the table knows it."""

    id: int
    job_id: str
    kind: Kind
    filename: str
    operations: str
    original_path: str | None
    thumbnail_path: str | None
    file_size: int | None
    thumbnail_size: int | None
    status: Status
    generation: int
    attempt: int
    seq: int
    priority: int
    created_at: float
    processing_started_at: float | None
    processed_at: float | None
    worker: str | None
    queue: str | None
    reason: str | None
    error_code: str | None
    error_message: str | None
    user_id: str | None
    batch_id: str | None
    fingerprint: str | None
    callback_url: str | None
    clock: Clock
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows `list` returns: newest first, `cursor` is the id of the last row already seen."""

    status: Status | None = None
    operation: str | None = None
    job_ids: Sequence[str] = field(default=())
    batch_id: str | None = None
    user_id: str | None = None
    limit: int = 50
    cursor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which changes a live client wants: those that fit all that is given."""

    job_ids: frozenset[str] = frozenset()
    batch_id: str | None = None
    statuses: frozenset[Status] = frozenset()
    user_id: str | None = None

    def fits(self, change: Change) -> bool:
        """Tell whether a change is wanted."""
        return (
            (not self.job_ids or change.job_id in self.job_ids)
            and (self.batch_id is None or change.batch_id == self.batch_id)
            and (not self.statuses or change.status in self.statuses)
            and (self.user_id is None or change.user_id == self.user_id)
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """When the oldest queued job of a kind with these operations was created."""

    kind: Kind
    operations: str
    since: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A completed job: its place in the order of changes, and when each stage ended."""

    seq: int
    job_id: str
    clock: Clock


def newborn(job: NewJob) -> dict[str, object]:
    """Return the row of a job that was just accepted."""
    return {
        "job_id": job.job_id,
        "kind": job.kind,
        "filename": job.filename,
        "operations": job.operations,
        "original_path": job.original_key or None,
        "file_size": job.file_size,
        "status": "pending",
        "rank": RANK["pending"],
        "priority": job.priority,
        "created_at": job.created_at,
        "user_id": job.user_id,
        "batch_id": job.batch_id,
        "fingerprint": job.fingerprint,
        "callback_url": job.callback_url or None,
        "clock": json.dumps({"accepted": job.created_at}),
    }


def values(event: Event, seq: int) -> dict[str, object]:
    """Return the row that an event makes, as far as it knows."""
    status = STATUS_AFTER[event.name]
    thumbnail = next((output for output in event.outputs if output.name == "thumbnail"), None)
    ended = status in ("completed", "failed")
    found: dict[str, object] = {
        "job_id": event.job_id,
        "kind": event.kind,
        "filename": event.filename,
        "operations": event.operations,
        "original_path": event.original_key or None,
        "thumbnail_path": thumbnail.key if thumbnail else None,
        "file_size": None,
        "thumbnail_size": thumbnail.size if thumbnail else None,
        "status": status,
        "rank": RANK[status],
        "generation": event.generation,
        "attempt": event.attempt,
        "seq": seq,
        "priority": event.priority,
        "created_at": event.clock.get("accepted", event.at),
        "processing_started_at": event.clock.get("started"),
        "processed_at": event.at if ended else None,
        "notified_at": None,
        "worker": event.worker,
        "queue": event.queue,
        "reason": event.reason,
        "error_code": event.error_code,
        "error_message": event.error_message,
        "user_id": None,
        "batch_id": None,
        "fingerprint": None,
        "callback_url": event.callback_url or None,
        "clock": json.dumps(event.clock),
        "outputs": json.dumps([output.model_dump() for output in event.outputs]),
    }
    return {name: _storable(value) for name, value in found.items()}


def _storable(value: object) -> object:
    """Return a value without the zero bytes that PostgreSQL refuses in a text."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def notice(event: Event, seq: int) -> dict[str, object]:
    """Return what a notification changes in its job's row."""
    return {"of": event.job_id, "in_generation": event.generation, "now": event.at, "place": seq}


CHANGE_COLUMNS = (*(table.c[name] for name in Change.model_fields), table.c.notified_at)
"""What is read of a row to tell of its change."""


def change(found: sa.RowMapping) -> Change:
    """Return a row, of which these columns were read, as a record."""
    return Change.model_validate({**found, "clock": _clock(found)})


def without_passed(events: Iterable[Event]) -> list[Event]:
    """Leave out the steps before a completion that is among these events: it tells all that they tell.

    Only steps in between can go. An end can not: it may be refused, as an end of an older attempt is,
    and then a later one counts.
    """
    given = list(events)
    completions = {event.job_id: position(event) for event in given if event.name == "job.completed"}
    return [
        event
        for event in given
        if event.name in ("job.completed", "job.failed")
        or position(event) > completions.get(event.job_id, (0, 0, 0))
    ]


def position(event: Event) -> tuple[int, int, int]:
    """Return how far an event moves its job: generation, attempt, rank."""
    return event.generation, event.attempt, RANK[STATUS_AFTER[event.name]]


def row(found: sa.RowMapping) -> JobRow:
    """Return a row of the table as a record."""
    values: dict[str, Any] = {
        name: found[name] for name in JobRow.__dataclass_fields__ if name not in ("clock", "outputs")
    }
    outputs = tuple(Output.model_validate(output) for output in json.loads(found["outputs"]))
    return JobRow(**values, clock=_clock(found), outputs=outputs)


def _clock(found: sa.RowMapping) -> Clock:
    clock: Clock = json.loads(found["clock"])
    if found["notified_at"] is not None:
        clock["notified"] = found["notified_at"]
    return clock
