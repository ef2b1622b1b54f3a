"""Direct uploads: jobs that are announced, and whose bytes the client brings to the object store itself.

An announced job has a row here beside its row in the job table. Whoever hears that the bytes are there (a
request, a storage event, on any replica) first claims the row by one guarded statement; so one of them
enqueues the job, however many hear of it. A claim ends by itself when its owner dies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from services.common.jobs.table import NewJob, metadata, newborn, table

State = Literal["open", "sent", "refused"]
"""open: nothing was enqueued; sent: checked, and enqueued or being so; refused: the bytes were not as they
may be."""

EXPIRED, REFUSED = "upload_expired", "upload_refused"
"""Why a job failed that was announced only: its bytes did not come, or were not as they may be."""

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("job_id", sa.String(64), primary_key=True),
    sa.Column("content_type", sa.String(100), nullable=False),
    sa.Column("size", sa.Integer),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Column("state", sa.String(8), nullable=False, default="open"),
    sa.Column("problem", sa.String(40), nullable=False, default=""),
    sa.Column("claim", sa.String(32), nullable=False, default=""),
    sa.Column("claimed_until", sa.Double, nullable=False, default=0),
    sa.Index("uploads_by_expiry", "expires_at"),
)

OPEN = sa.exists().where(uploads.c.job_id == table.c.job_id, uploads.c.state != "sent")
"""Whether a row of the job table is one that was announced only."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An announced upload: its type, its bytes if they were announced, and until when it may come.

    `problem` is the code of the error for which it was refused.
    """

    job_id: str
    content_type: str
    size: int | None
    expires_at: float
    state: State = "open"
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to deal with one upload, for a while; `token` is its owner's."""

    job_id: str
    token: str

    @property
    def holds(self) -> sa.ColumnElement[bool]:
        """Whether nobody has taken it over."""
        return (uploads.c.job_id == self.job_id) & (uploads.c.claim == self.token)


class UploadStore:
    """The table of announced uploads. Methods block; raise `DatabaseUnavailable`."""

    def __init__(
        self, transaction: Callable[[], AbstractContextManager[sa.Connection]], birth: sa.Executable
    ) -> None:
        self._transaction = transaction
        self._birth = birth

    def announce(self, job: NewJob, upload: Upload) -> None:
        """Insert a pending job and its upload, both or neither."""
        row = {
            "job_id": upload.job_id,
            "content_type": upload.content_type,
            "size": upload.size,
            "expires_at": upload.expires_at,
        }
        with self._transaction() as connection:
            connection.execute(self._birth, [newborn(job)])
            connection.execute(sa.insert(uploads).values(row))

    def get(self, job_id: str) -> Upload | None:
        """Return an upload, or None."""
        with self._transaction() as connection:
            found = connection.execute(sa.select(uploads).where(uploads.c.job_id == job_id))
            return next(map(_upload, found.mappings()), None)

    def expired(self, now: float, limit: int) -> Sequence[Upload]:
        """Return uploads that may not come any more, and those whose time for a late copy is over."""
        statement = (
            sa.select(uploads)
            .where(uploads.c.expires_at < now, uploads.c.claimed_until < now)
            .order_by(uploads.c.expires_at)
            .limit(limit)
        )
        with self._transaction() as connection:
            return [_upload(found) for found in connection.execute(statement).mappings()]

    def claim(self, claim: Claim, *, now: float, until: float) -> bool:
        """Take an upload that nobody has claimed; tell whether it worked."""
        free = (uploads.c.job_id == claim.job_id) & (uploads.c.claimed_until < now)
        return self._changed(sa.update(uploads).where(free).values(claim=claim.token, claimed_until=until))

    def accept(self, claim: Claim, *, original_path: str, file_size: int, at: float) -> bool:
        """Note that a claimed upload is a job from now on; tell whether the claim still held."""
        accepted = (
            sa.update(table)
            .where(table.c.job_id == claim.job_id, table.c.status == "pending")
            .values(original_path=original_path, file_size=file_size, created_at=at)
        )
        sent = sa.update(uploads).where(claim.holds, uploads.c.state == "open").values(state="sent")
        with self._transaction() as connection:
            if not connection.execute(sent).rowcount:
                return False
            connection.execute(accepted)
            return True

    def refuse(self, claim: Claim, problem: str) -> bool:
        """Note for which error a claimed upload is refused; tell whether the claim still held."""
        statement = sa.update(uploads).where(claim.holds).values(state="refused", problem=problem)
        return self._changed(statement)

    def postpone(self, claim: Claim, until: float) -> bool:
        """Look at a claimed upload again later."""
        return self._changed(sa.update(uploads).where(claim.holds).values(expires_at=until))

    def release(self, claim: Claim) -> bool:
        """Give a claim back."""
        return self._changed(sa.update(uploads).where(claim.holds).values(claim="", claimed_until=0))

    def forget(self, claim: Claim) -> bool:
        """Delete a claimed upload; its job stays as it is."""
        return self._changed(sa.delete(uploads).where(claim.holds))

    def _changed(self, statement: sa.Executable) -> bool:
        with self._transaction() as connection:
            result: Any = connection.execute(statement)
            return bool(result.rowcount)


def _upload(found: sa.RowMapping) -> Upload:
    return Upload(**{name: found[name] for name in Upload.__dataclass_fields__})
