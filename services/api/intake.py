"""From a file to a job: stored, registered, published, and known again by its idempotency key.

The job_id of an upload with a key is made from the key, and its original's key in the store from its bytes
as well. So whoever sends the same again, to whichever replica, meets the same row and the same object, and
whoever sends something else under the same key overwrites nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from dataclasses import dataclass
from typing import BinaryIO
from weakref import WeakValueDictionary

from services.api.errors import ApiError
from services.api.forms import Upload
from services.api.objects import Objects
from services.api.publisher import Publisher
from services.api.rows import Rows
from services.common.errors import DatabaseUnavailable
from services.common.jobs import JobRow
from services.common.messages import Job, Status
from services.common.storage import original_key

CHUNK_BYTES = 256 * 1024
FINGERPRINT_IN_KEY = 16

_UPLOADS = uuid.UUID("6f0f5f0e-4c0e-4b0c-9d0e-3a1f6a1b7c21")
_BATCHES = uuid.UUID("0d9b6b5a-6f43-4c0a-8a3c-5b7f1e2d9c44")


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with an upload, which came at `accepted` (seconds since the epoch)."""

    operations: str
    priority: int
    accepted: float
    batch_id: str | None = None
    callback_url: str = ""
    user_id: str | None = None

    def fingerprint(self) -> bytes:
        """Return what makes the same file another job."""
        return b"\0".join(text.encode() for text in (self.operations, self.callback_url) if text)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A job that was accepted, now or under the same key before."""

    job_id: str
    filename: str
    operations: str
    status: Status


class Intake:
    """Takes uploads of up to `max_bytes` in."""

    def __init__(self, objects: Objects, rows: Rows, publisher: Publisher, *, max_bytes: int) -> None:
        self._objects = objects
        self._rows = rows
        self._publisher = publisher
        self._max_bytes = max_bytes
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(self, upload: Upload, order: Order, job_id: str | None) -> Receipt:
        """Make one job of an upload; `job_id` is given when it comes from an idempotency key.

        Raises an `ApiError` or a `QueueLabError`; only one that carries a job_id has left anything.
        """
        self._publisher.check()
        if upload.size > self._max_bytes:
            raise ApiError("file_too_large", f"the file has more than the {self._max_bytes:,} bytes allowed")
        if job_id is None:
            return await self._take_once(_job(upload, order, uuid.uuid4().hex), upload, order)
        fingerprint = await asyncio.to_thread(_fingerprint, upload.file, order.fingerprint())
        # One at a time here; on another replica too, the worst is one message twice for one job.
        async with self._turns.setdefault(job_id, asyncio.Lock()):
            return await self._take_keyed(
                _job(upload, order, job_id, fingerprint), upload, order, fingerprint
            )

    async def _take_once(self, job: Job, upload: Upload, order: Order) -> Receipt:
        await self._objects.store_original(job.original_key, upload.file, upload.size)
        try:
            await self._publisher.register(
                [job], file_size=upload.size, batch_id=order.batch_id, user_id=order.user_id
            )
        except DatabaseUnavailable:
            self._objects.discard(job.original_key)
            raise
        await self._publisher.send(job)
        return Receipt(job.job_id, job.filename, job.operations, "queued")

    async def _take_keyed(self, job: Job, upload: Upload, order: Order, fingerprint: str) -> Receipt:
        row = await self._rows.get(job.job_id) or await self._born(job, upload, order, fingerprint)
        if row.fingerprint != fingerprint:
            raise ApiError(
                "idempotency_conflict",
                "this key came with another file, other operations or another callback_url before",
            )
        if row.status != "pending":
            return Receipt(row.job_id, row.filename, row.operations, row.status)
        await self._publisher.send(again(row))
        return Receipt(row.job_id, row.filename, row.operations, "queued")

    async def _born(self, job: Job, upload: Upload, order: Order, fingerprint: str) -> JobRow:
        """Store and register a job; return its row, or that of whoever was faster on another replica."""
        # What fails on the way stays in the store: the same upload may be under way once more already.
        await self._objects.store_original(job.original_key, upload.file, upload.size, keep=True)
        await self._publisher.register(
            [job],
            file_size=upload.size,
            batch_id=order.batch_id,
            user_id=order.user_id,
            fingerprint=fingerprint,
        )
        row = await self._rows.get(job.job_id)
        if row is None:
            raise DatabaseUnavailable("the job table was emptied meanwhile")
        if row.original_path != job.original_key:
            self._objects.discard(job.original_key)
        return row


def keyed_id(key: str, user_id: str | None) -> str:
    """Return the job_id that a user's idempotency key stands for."""
    return uuid.uuid5(_room(_UPLOADS, user_id), key).hex


def keyed_batch(key: str, count: int, user_id: str | None) -> tuple[str, list[str]]:
    """Return the batch_id and the job_ids that a user's key stands for, in the order of the files."""
    batch = uuid.uuid5(_room(_BATCHES, user_id), key)
    return batch.hex, [uuid.uuid5(batch, str(place)).hex for place in range(count)]


def _room(names: uuid.UUID, user_id: str | None) -> uuid.UUID:
    """Return where the keys of one user are, apart from those of all others."""
    return names if user_id is None else uuid.uuid5(names, user_id)


def _fingerprint(file: BinaryIO, order: bytes) -> str:
    digest = hashlib.sha256(order + b"\0")
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def _job(upload: Upload, order: Order, job_id: str, fingerprint: str = "") -> Job:
    return Job(
        job_id=job_id,
        kind="image",
        operations=order.operations,
        filename=upload.filename,
        original_key=original_key("-".join(filter(None, (job_id, fingerprint[:FINGERPRINT_IN_KEY])))),
        priority=order.priority,
        callback_url=order.callback_url,
        clock={"accepted": order.accepted},
    )


def again(row: JobRow) -> Job:
    """Return the job of a row, as it was last sent, or will be sent for the first time."""
    return Job(
        job_id=row.job_id,
        kind=row.kind,
        generation=row.generation,
        operations=row.operations,
        filename=row.filename,
        original_key=row.original_path or "",
        priority=row.priority,
        callback_url=row.callback_url or "",
        clock={"accepted": row.created_at},
    )
