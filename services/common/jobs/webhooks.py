"""The delivery log of webhooks: one row for each POST to a receiver, kept beside the job table."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.common.jobs.table import metadata
from services.common.messages import WebhookAttempt

attempts = sa.Table(
    "webhook_attempts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("attempt_id", sa.String(64), nullable=False, unique=True),
    sa.Column("webhook_id", sa.String(100), nullable=False),
    sa.Column("job_id", sa.String(64), nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("type", sa.String(20), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("duration_s", sa.Double, nullable=False),
    sa.Column("outcome", sa.String(12), nullable=False),
    sa.Column("status_code", sa.Integer),
    sa.Column("error_code", sa.String(40)),
    sa.Column("error_message", sa.String(500)),
    sa.Column("retry_in_s", sa.Double),
    sa.Index("webhook_attempts_by_job", "job_id", "at"),
)

_FIELDS = [attempts.c[name] for name in WebhookAttempt.model_fields if name != "version"]


def made(attempt: WebhookAttempt) -> dict[str, object]:
    """Return the row of an attempt."""
    return attempt.model_dump(exclude={"version"})


def of_job(job_id: str, limit: int) -> sa.Select[tuple[object, ...]]:
    """Return the statement that reads the last `limit` attempts of a job, newest first."""
    return (
        sa.select(*_FIELDS)
        .where(attempts.c.job_id == job_id)
        .order_by(attempts.c.at.desc(), attempts.c.id.desc())
        .limit(limit)
    )


def read(found: Sequence[sa.RowMapping]) -> list[WebhookAttempt]:
    """Return rows, newest first, as records in the order in which they happened."""
    return [WebhookAttempt.model_validate(dict(row)) for row in reversed(found)]
