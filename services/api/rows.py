"""The job table off the event loop; writes that come together are committed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from services.common.jobs import Filter, JobRow, JobStore, NewJob
from services.common.messages import Clock

READERS = 4

ResultT = TypeVar("ResultT")
ItemT = TypeVar("ItemT")


class Rows:
    """The API's side of the job table. Raises `DatabaseUnavailable`."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self.ping = jobs.ping
        self._readers = ThreadPoolExecutor(READERS, "job-reader")
        # One writer: SQLite lets two wait for each other in steps of milliseconds.
        self._writer = ThreadPoolExecutor(1, "job-writer")
        self._inserts = _Batcher[NewJob](self._writer, jobs.add)
        self._marks = _Batcher[tuple[str, Clock]](self._writer, lambda marks: jobs.mark_queued(dict(marks)))

    async def add(self, jobs: Sequence[NewJob]) -> None:
        """Insert rows with status pending: all of them or none."""
        await self._inserts.write(jobs)

    async def mark_queued(self, job_id: str, clock: Clock) -> None:
        """Move a row from pending to queued, unless a worker was faster."""
        await self._marks.write([(job_id, clock)])

    async def get(self, job_id: str) -> JobRow | None:
        """Return a job, or None."""
        return await self._read(lambda: self._jobs.get(job_id))

    async def list(self, wanted: Filter) -> list[JobRow]:
        """Return jobs, newest first."""
        return await self._read(lambda: self._jobs.list(wanted))

    async def failed_by_reason(self) -> dict[str, int]:
        """Return how many failed jobs there are of each reason."""
        return await self._read(self._jobs.failed_by_reason)

    def close(self) -> None:
        """Let what is under way end."""
        self._readers.shutdown(cancel_futures=True)
        self._writer.shutdown(cancel_futures=True)

    async def _read(self, call: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._readers, call)


class _Batcher(Generic[ItemT]):
    """What arrives during a commit goes into the next one, so commits are few under load.

    `write` ends when its items are committed; a commit that fails, fails for all who are in it.
    """

    def __init__(self, thread: ThreadPoolExecutor, commit: Callable[[list[ItemT]], None]) -> None:
        self._thread = thread
        self._commit = commit
        self._waiting: list[tuple[Sequence[ItemT], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, items: Sequence[ItemT]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((items, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await done

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            items = [item for group, _ in batch for item in group]
            commit = loop.run_in_executor(self._thread, self._commit, items)
            await asyncio.wait({commit})
            error = commit.exception()
            for _, done in batch:
                _end(done, error)
        self._writing = None


def _end(done: asyncio.Future[None], error: BaseException | None) -> None:
    # A request that was cancelled meanwhile waits no more.
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
