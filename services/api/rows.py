"""The job table off the event loop; writes that come together are committed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from services.common.jobs import Filter, JobRow, JobStore, NewJob, Wanted
from services.common.jobs.uploads import UploadStore
from services.common.jobs.users import UserStore
from services.common.messages import Change, Clock, JobId, Status, WebhookAttempt

READERS = 4
MAX_NUMBER = 2**31 - 1
COMMIT_INTERVAL_S = 0.005
"""Commits follow each other no faster: under load each carries several rows (15% more uploads)."""

_IDS = TypeAdapter[str](JobId)

ResultT = TypeVar("ResultT")


class Rows:
    """The API's side of the job table. Raises `DatabaseUnavailable`."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self.ping = jobs.ping
        self._readers = ThreadPoolExecutor(READERS, "job-reader")
        # One writer: SQLite lets two wait for each other in steps of milliseconds.
        self._writer = ThreadPoolExecutor(1, "job-writer")
        self._waiting = _Batch()
        self._next_commit = 0.0
        self._writing: asyncio.Task[None] | None = None

    async def add(self, jobs: Sequence[NewJob]) -> None:
        """Insert rows with status pending: all of them or none."""
        self._waiting.jobs.extend(jobs)
        await self._committed()

    async def mark_queued(self, job_id: str, clock: Clock) -> None:
        """Move a row from pending to queued, unless a worker was faster."""
        self._waiting.clocks[job_id] = clock
        await self._committed()

    async def get(self, job_id: str) -> JobRow | None:
        """Return a job, or None."""
        return await self._read(lambda: self._jobs.get(job_id)) if _is_id(job_id) else None

    async def numbered(self, number: int) -> JobRow | None:
        """Return the image job of a number, or None."""
        if not 1 <= number < MAX_NUMBER:
            return None
        found = await self._read(lambda: self._jobs.list(Filter(cursor=number + 1, limit=1)))
        return next((row for row in found if row.id == number and row.kind == "image"), None)

    async def list(self, wanted: Filter) -> list[JobRow]:
        """Return jobs, newest first."""
        return await self._read(lambda: self._jobs.list(wanted))

    async def count_batch(self, batch_id: str, user_id: str | None = None) -> dict[Status, int]:
        """Return how many jobs of a batch, and of a user, have each status; empty when there are none."""
        if not _is_id(batch_id):
            return {}
        return await self._read(lambda: self._jobs.count_batch(batch_id, user_id))

    async def attempts(self, job_id: str, limit: int) -> Sequence[WebhookAttempt]:
        """Return the last `limit` attempts to tell a job's receiver of its end, in their order."""
        return await self._read(lambda: self._jobs.attempts(job_id, limit))

    async def failed_by_reason(self) -> dict[str, int]:
        """Return how many failed jobs there are of each reason."""
        return await self._read(self._jobs.failed_by_reason)

    async def last_seq(self) -> int:
        """Return the seq of the latest change, 0 when there is none."""
        return await self._read(self._jobs.last_seq)

    async def changes(self, after: int, wanted: Wanted, limit: int) -> Sequence[Change]:
        """Return the first `limit` wanted changes after a seq, in their order: each job once, as it is."""
        return await self._read(lambda: self._jobs.changes(after, wanted, limit))

    async def read_uploads(self, call: Callable[[UploadStore], ResultT]) -> ResultT:
        """Ask the table of direct uploads something."""
        return await self._read(lambda: call(self._jobs.uploads))

    async def write_uploads(self, call: Callable[[UploadStore], ResultT]) -> ResultT:
        """Change the table of direct uploads, in a turn of this program's one writer."""
        return await self._write(lambda: call(self._jobs.uploads))

    async def read_users(self, call: Callable[[UserStore], ResultT]) -> ResultT:
        """Ask the table of users something."""
        return await self._read(lambda: call(self._jobs.users))

    async def versions(self) -> dict[str, int]:
        """Return the version of each account by its user_id."""
        found = await self._read(self._jobs.users.list)
        return {user.user_id: user.version for user in found}

    async def write_users(self, call: Callable[[UserStore], ResultT]) -> ResultT:
        """Change the table of users, in such a turn too."""
        return await self._write(lambda: call(self._jobs.users))

    def close(self) -> None:
        """Let what is under way end."""
        self._readers.shutdown(cancel_futures=True)
        self._writer.shutdown(cancel_futures=True)

    async def _read(self, call: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    async def _write(self, call: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._writer, call)

    async def _committed(self) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.done.append(done)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await done

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting.done:
            await asyncio.sleep(self._next_commit - loop.time())
            self._next_commit = loop.time() + COMMIT_INTERVAL_S
            batch, self._waiting = self._waiting, _Batch()
            commit = loop.run_in_executor(self._writer, self._jobs.write, batch.jobs, batch.clocks)
            await asyncio.wait({commit})
            batch.end(commit.exception())
        self._writing = None


def _is_id(text: str) -> bool:
    """Whether a text can be an id at all; PostgreSQL refuses even to compare one with a zero byte."""
    try:
        _IDS.validate_python(text)
    except ValidationError:
        return False
    return True


@dataclass(slots=True)
class _Batch:
    """What arrives during a commit goes into the next one, so commits are few under load."""

    jobs: list[NewJob] = field(default_factory=list)
    clocks: dict[str, Clock] = field(default_factory=dict)
    done: list[asyncio.Future[None]] = field(default_factory=list)

    def end(self, error: BaseException | None) -> None:
        """Tell all who wait; a commit that fails, fails for all who are in it."""
        for done in self.done:
            # A request that was cancelled meanwhile waits no more.
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
