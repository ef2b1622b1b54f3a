"""The job table: a read model that the tracker keeps from events, and that the API writes a job's birth to.

Every write is one guarded statement (insert, or update where newer), so that two writers never wait for each
other with a read in between: on SQLite that ends in "database is locked" however long the time-out.

A row moves by `(generation, attempt, rank)`; completed and failed end a generation. So events may come twice
or late without harm. Times are seconds since the epoch.

The order of changes (`seq`) counts microseconds since the epoch: a change is numbered with the time of its
commit, or with the number after the last one. So it goes on rising after the table was emptied or lost.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from services.common.errors import DatabaseUnavailable
from services.common.jobs import webhooks
from services.common.jobs.table import (
    CHANGE_COLUMNS,
    Ended,
    Filter,
    JobRow,
    NewJob,
    Waiting,
    Wanted,
    change,
    metadata,
    newborn,
    notice,
    row,
    table,
    values,
    without_passed,
)
from services.common.jobs.uploads import OPEN, UploadStore, uploads
from services.common.jobs.users import UserStore, users
from services.common.messages import RANK, STATUS_AFTER, Change, Changes, Clock, Event, Status, WebhookAttempt

BUSY_TIMEOUT_S = 10
_POSTGRESQL = {"connect_timeout": 5, "options": f"-c statement_timeout={BUSY_TIMEOUT_S}s"}

_NO_ANSWER = "the job table did not answer: {}"
_OTHER_VERSION = (
    "the job table was made by another version of Queue Lab ({}). "
    "Start afresh: labctl down --delete-data, then labctl up"
)
# SQLite's and PostgreSQL's words.
_NO_COLUMN = re.compile(r"no such column|has no column|column .* does not exist")

_MARK_QUEUED = (
    sa.update(table)
    .where(table.c.job_id == sa.bindparam("of"), table.c.status == "pending")
    .values(status="queued", rank=RANK["queued"], attempt=1, clock=sa.bindparam("now"))
)

_NOTICE = (
    sa.update(table)
    .where(table.c.job_id == sa.bindparam("of"), table.c.generation == sa.bindparam("in_generation"))
    .where(table.c.notified_at.is_(None))
    .values(notified_at=sa.bindparam("now"), seq=sa.bindparam("place"))
)
_LAST_SEQ = sa.select(sa.func.max(table.c.seq))
_CHANGED = sa.select(*CHANGE_COLUMNS).where(table.c.seq > sa.bindparam("last")).order_by(table.c.seq)
_ENDED = (
    sa.select(table.c.job_id)
    .where(table.c.seq > sa.bindparam("last"), table.c.rank >= RANK["completed"])
    .order_by(table.c.seq)
)
_ONE_WRITER = sa.select(sa.func.pg_advisory_xact_lock(0x1AB))

_KEPT = ("thumbnail_path", "thumbnail_size", "processing_started_at", "notified_at", "worker", "queue")
_TAKEN = (
    *("status", "rank", "generation", "attempt", "seq", "processed_at"),
    *("reason", "error_code", "error_message", "clock", "outputs"),
)


class JobStore:
    """The job table behind a SQLAlchemy URL. Methods block; raise `DatabaseUnavailable`."""

    def __init__(self, url: str) -> None:
        if url.startswith("sqlite"):
            self._engine = sa.create_engine(url)
            sa.event.listen(self._engine, "connect", _configure_sqlite)
        else:
            self._engine = sa.create_engine(url, pool_pre_ping=True, connect_args=_POSTGRESQL)
        insert = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        self._insert = insert(table)
        self._birth = self._insert.on_conflict_do_nothing(index_elements=["job_id"])
        self._note = insert(webhooks.attempts).on_conflict_do_nothing(index_elements=["attempt_id"])
        self._upsert = self._upsert_statement()
        self.uploads = UploadStore(self._transaction, self._birth)
        born = insert(users).on_conflict_do_nothing(index_elements=["username"])
        self.users = UserStore(self._transaction, born)

    def create_schema(self) -> None:
        """Make the tables; one program does this, the tracker. One of another version is left as it is."""
        with self._transaction() as connection:
            _exclude_others(connection)  # it looks first and makes then, and two programs may do so at once
            metadata.create_all(connection)
            differing = [name for made in metadata.sorted_tables for name in _differing(connection, made)]
        if differing:
            raise DatabaseUnavailable(_OTHER_VERSION.format(f"columns {', '.join(differing)}"))

    def ping(self) -> None:
        """Return when the table can be read, with all its columns."""
        with self._transaction() as connection:
            connection.execute(sa.select(table).limit(1))

    def add(self, jobs: Sequence[NewJob]) -> None:
        """Insert rows with status pending; a row of the same job_id stays as it is."""
        self.write(jobs, {})

    def mark_queued(self, clocks: Mapping[str, Clock]) -> None:
        """Move rows from pending to queued; a worker may have been faster, then nothing changes."""
        self.write([], clocks)

    def write(self, jobs: Sequence[NewJob], clocks: Mapping[str, Clock]) -> None:
        """Do what `add` and `mark_queued` do, in one transaction."""
        marks = [{"of": job_id, "now": json.dumps(clock)} for job_id, clock in clocks.items()]
        with self._transaction() as connection:
            _exclude_others(connection)  # or two that change the same rows in another order block each other
            if jobs:
                connection.execute(self._birth, [newborn(job) for job in jobs])
            if marks:
                connection.execute(_MARK_QUEUED, marks)

    def apply(self, events: Sequence[Event]) -> Changes:
        """Apply events in one transaction; return the rows that moved, each once, in the order of their seq.

        Events that are older than their row, or that repeat it, change nothing. Of a row that moves several
        times in one call, the last move is what is returned.
        """
        moves = without_passed(event for event in events if event.name in STATUS_AFTER)
        notices = [event for event in events if event.name not in STATUS_AFTER]
        with self._transaction() as connection:
            _exclude_others(connection)  # or two writers would take the same seq
            last = connection.execute(_LAST_SEQ).scalar() or 0
            following = itertools.count(max(last + 1, time.time_ns() // 1000))
            if moves:
                connection.execute(self._upsert, [values(event, next(following)) for event in moves])
            # Before the notices, which move rows that have ended long ago.
            ended = connection.execute(_ENDED, {"last": last}).scalars().all() if moves else ()
            if notices:
                connection.execute(_NOTICE, [notice(event, next(following)) for event in notices])
            moved = connection.execute(_CHANGED, {"last": last})
            return Changes(after=last, rows=tuple(map(change, moved.mappings())), ended=tuple(ended))

    def last_seq(self) -> int:
        """Return the seq of the latest change, 0 when there is none."""
        with self._transaction() as connection:
            return connection.execute(_LAST_SEQ).scalar() or 0

    def changes(self, after: int, wanted: Wanted, limit: int) -> list[Change]:
        """Return the first `limit` wanted changes after a seq, in their order: each job once, as it is."""
        statement = _CHANGED.limit(limit)
        if wanted.job_ids:
            statement = statement.where(table.c.job_id.in_(wanted.job_ids))
        if wanted.batch_id is not None:
            statement = statement.where(table.c.batch_id == wanted.batch_id)
        if wanted.statuses:
            statement = statement.where(table.c.status.in_(wanted.statuses))
        if wanted.user_id is not None:
            statement = statement.where(table.c.user_id == wanted.user_id)
        with self._transaction() as connection:
            return [change(found) for found in connection.execute(statement, {"last": after}).mappings()]

    def note_attempts(self, attempts: Sequence[WebhookAttempt]) -> None:
        """Add to the delivery log of webhooks; an attempt that is there stays as it is."""
        with self._transaction() as connection:
            _exclude_others(connection)
            if attempts:
                connection.execute(self._note, [webhooks.made(attempt) for attempt in attempts])

    def attempts(self, job_id: str, limit: int) -> Sequence[WebhookAttempt]:
        """Return the last `limit` attempts to tell a job's receiver of its end, in their order."""
        with self._transaction() as connection:
            return webhooks.read(connection.execute(webhooks.of_job(job_id, limit)).mappings().all())

    def get(self, job_id: str) -> JobRow | None:
        """Return a job, or None."""
        rows = self.list(Filter(job_ids=[job_id], limit=1))
        return rows[0] if rows else None

    def list(self, wanted: Filter) -> list[JobRow]:
        """Return jobs, newest first."""
        statement = sa.select(table).order_by(table.c.id.desc()).limit(wanted.limit)
        if wanted.status:
            statement = statement.where(table.c.status == wanted.status)
        if wanted.operation:
            # Canonical text: a name begins it or follows a semicolon, its arguments follow a comma.
            joined = sa.literal(";").concat(table.c.operations).concat(sa.literal(";"))
            named = (joined.contains(f";{wanted.operation}{end}", autoescape=True) for end in ",;")
            statement = statement.where(sa.or_(*named))
        if wanted.job_ids:
            statement = statement.where(table.c.job_id.in_(wanted.job_ids))
        if wanted.batch_id is not None:
            statement = statement.where(table.c.batch_id == wanted.batch_id)
        if wanted.user_id is not None:
            statement = statement.where(table.c.user_id == wanted.user_id)
        if wanted.cursor is not None:
            statement = statement.where(table.c.id < wanted.cursor)
        with self._transaction() as connection:
            return [row(found) for found in connection.execute(statement).mappings()]

    def count_by_status(self) -> dict[Status, int]:
        """Return how many jobs have each status."""
        return cast("dict[Status, int]", self._count_by(table.c.status))

    def count_batch(self, batch_id: str, user_id: str | None = None) -> dict[Status, int]:
        """Return how many jobs of a batch, and of a user, have each status; empty when there are none."""
        where = [table.c.batch_id == batch_id]
        where += [] if user_id is None else [table.c.user_id == user_id]
        return cast("dict[Status, int]", self._count_by(table.c.status, *where))

    def failed_by_reason(self) -> dict[str, int]:
        """Return how many failed jobs there are of each reason."""
        return self._count_by(table.c.reason, table.c.status == "failed")

    def oldest_waiting(self) -> float | None:
        """Return when the oldest job that still waits was created; one that was announced only does not."""
        statement = sa.select(sa.func.min(table.c.created_at)).where(
            (table.c.status == "queued") | ((table.c.status == "pending") & ~OPEN)
        )
        with self._transaction() as connection:
            return cast("float | None", connection.execute(statement).scalar())

    def waiting(self) -> Sequence[Waiting]:
        """Return since when jobs are queued, the oldest of each kind and operations."""
        statement = (
            sa.select(table.c.kind, table.c.operations, sa.func.min(table.c.created_at))
            .where(table.c.status == "queued")
            .group_by(table.c.kind, table.c.operations)
        )
        with self._transaction() as connection:
            return [
                Waiting(kind, operations, since) for kind, operations, since in connection.execute(statement)
            ]

    def completed_since(self, seq: int, limit: int) -> Sequence[Ended]:
        """Return the last `limit` completed jobs that changed after `seq`, newest first."""
        statement = (
            sa.select(table.c.seq, table.c.job_id, table.c.clock)
            .where(table.c.seq > seq, table.c.status == "completed")
            .order_by(table.c.seq.desc())
            .limit(limit)
        )
        with self._transaction() as connection:
            return [
                Ended(seq, job_id, json.loads(clock)) for seq, job_id, clock in connection.execute(statement)
            ]

    def query(self, sql: str) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        """Return the columns and rows of a query of the kit's own: it is run as it stands."""
        with self._transaction() as connection:
            found = connection.execute(sa.text(sql))
            return tuple(found.keys()), tuple(tuple(map(_plain, line)) for line in found)

    def clear(self) -> int:
        """Delete all jobs and what was logged of them; return how many jobs."""
        with self._transaction() as connection:
            connection.execute(sa.delete(webhooks.attempts))
            connection.execute(sa.delete(uploads))
            return connection.execute(sa.delete(table)).rowcount

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _count_by(self, column: sa.Column[Any], *where: sa.ColumnElement[bool]) -> dict[str, int]:
        statement = sa.select(column, sa.func.count()).where(*where).group_by(column)
        with self._transaction() as connection:
            return {str(value): count for value, count in connection.execute(statement)}

    def _upsert_statement(self) -> sa.Executable:
        new = self._insert.excluded
        same_generation = table.c.generation == new.generation
        # What an event does not know must not erase what the row does, unless a new generation began.
        kept = {
            name: sa.case((same_generation, sa.func.coalesce(new[name], table.c[name])), else_=new[name])
            for name in _KEPT
        }
        ended = table.c.rank >= RANK["completed"]
        position = sa.tuple_(table.c.generation, table.c.attempt, table.c.rank)
        newer = position < sa.tuple_(new.generation, new.attempt, new.rank)
        # The API marks a row queued by itself, without a place in the order of changes.
        unannounced = (table.c.seq == 0) & (position == sa.tuple_(new.generation, new.attempt, new.rank))
        return self._insert.on_conflict_do_update(
            index_elements=["job_id"],
            set_={**{name: new[name] for name in _TAKEN}, **kept},
            where=(newer | unannounced) & ~(ended & same_generation),
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error)
            said = _OTHER_VERSION.format(cause) if _NO_COLUMN.search(cause) else _NO_ANSWER.format(cause)
            raise DatabaseUnavailable(said) from error


def _differing(connection: sa.Connection, made: sa.Table) -> list[str]:
    """Return the columns that a table has too many, or too few."""
    there = {column["name"] for column in sa.inspect(connection).get_columns(made.name)}
    return sorted(there.symmetric_difference(made.columns.keys()))


def _exclude_others(connection: sa.Connection) -> None:
    """Let no other program write until this transaction ends; wait for one that does."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("begin immediate")
    else:
        connection.execute(_ONE_WRITER)


def _plain(value: object) -> object:
    """Return what SQLite would give: PostgreSQL rounds to decimals, which JSON does not know."""
    return float(value) if isinstance(value, Decimal) else value


def _configure_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    # The mode stays with the file. Locked (whatever the timeout): another program is just changing it.
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("pragma journal_mode = wal")
    # With WAL this loses no committed row when a process dies, only when the machine does.
    connection.execute("pragma synchronous = normal")
