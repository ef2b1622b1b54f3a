"""Direct uploads: announced here, brought to the object store by the client, checked and enqueued afterwards.

announced: row pending ▸ the client PUTs ▸ claim ▸ looked into ▸ copied to originals/ ▸ accepted ▸ published

The bytes never pass through the API. It reads the header, as it does for any upload, and has the store copy
the file to a place that the client's URL does not reach: so what was checked is what is worked on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.api.errors import ApiError, no_job
from services.api.intake import Receipt, again
from services.api.objects import Objects
from services.api.publisher import Publisher
from services.api.remote import remote_file
from services.api.rows import Rows
from services.common import metrics
from services.common.errors import DatabaseUnavailable, ObjectMissing, QueueLabError
from services.common.jobs import JobRow, NewJob
from services.common.jobs.uploads import EXPIRED, REFUSED, Claim, Upload
from services.common.storage import ObjectStore, original_key, upload_key
from services.worker.processors import ImageError, inspect

log = logging.getLogger(__name__)

LEASE_S = 60.0
"""How long a claim holds: longer than a check, a copy and a confirm may take together."""
WAIT_S = 10.0
POLL_S = 0.1
GRACE_S = 60.0
"""A PUT may begin in the last moment of its URL."""
SWEEP_S = 5.0
SWEPT_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a client says that it will bring; `size` in bytes, None when it did not say."""

    filename: str
    content_type: str
    operations: str
    priority: int
    size: int | None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """Where a client may PUT what it announced, with which headers, and until when (seconds since 1970)."""

    job_id: str
    url: str
    headers: dict[str, str]
    expires_at: float


class Direct:
    """Direct uploads of up to `max_bytes` and `max_pixels`; a URL is good for `expiry_s` seconds."""

    def __init__(
        self,
        objects: Objects,
        rows: Rows,
        publisher: Publisher,
        *,
        max_bytes: int,
        max_pixels: int,
        expiry_s: int,
    ) -> None:
        self._objects = objects
        self._rows = rows
        self._publisher = publisher
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._expiry_s = expiry_s

    async def announce(self, wanted: Announcement) -> Permit:
        """Register a pending job, and sign a URL for its file; raise `DatabaseUnavailable`."""
        job_id, now = uuid.uuid4().hex, time.time()
        headers = {"Content-Type": wanted.content_type}
        if wanted.size is not None:
            headers["Content-Length"] = str(wanted.size)
        job = NewJob(
            job_id=job_id,
            kind="image",
            operations=wanted.operations,
            filename=wanted.filename,
            original_key="",
            file_size=wanted.size or 0,
            priority=wanted.priority,
            created_at=now,
            user_id=wanted.user_id,
        )
        expires_at = now + self._expiry_s
        upload = Upload(job_id, wanted.content_type, wanted.size, expires_at + GRACE_S)
        await self._rows.write_uploads(lambda uploads: uploads.announce(job, upload))
        log.info("upload_announced", extra={"job_id": job_id})
        url = self._objects.presigned_put(upload_key(job_id), headers, self._expiry_s)
        return Permit(job_id, url, headers, expires_at)

    async def complete(self, job_id: str) -> Receipt:
        """Enqueue an announced job whose file has come; one that was enqueued before is only looked up.

        Raises an `ApiError` or a `QueueLabError`.
        """
        deadline = time.monotonic() + WAIT_S
        while True:
            row = await self._find(job_id)
            if row.status != "pending":
                return _known(row)
            self._publisher.check()
            async with self._claimed(job_id) as claim:
                if claim:
                    return await self._deal(claim)
            if time.monotonic() > deadline:
                raise ApiError("upload_busy", "another request looks at this upload", job_id=job_id)
            await asyncio.sleep(POLL_S)

    async def heard(self, job_id: str) -> Receipt:
        """Do what `complete` does, because the store says that a file has come."""
        try:
            return await self.complete(job_id)
        except ApiError as error:
            if error.code == EXPIRED:
                self._objects.discard(upload_key(job_id))
            raise

    async def sweep(self) -> None:
        """End the jobs whose file did not come, and delete what came too late."""
        now = time.time()
        expired = await self._rows.read_uploads(lambda uploads: uploads.expired(now, SWEPT_AT_ONCE))
        for upload in expired:
            async with self._claimed(upload.job_id) as claim:
                if claim:
                    await self._clean(claim)

    async def sweep_forever(self) -> None:
        """Sweep now and then."""
        while True:
            try:
                await self.sweep()
            except (ApiError, QueueLabError) as error:
                log.warning("uploads_unswept", extra={"error": str(error), "retry_in_s": SWEEP_S})
            await asyncio.sleep(SWEEP_S)

    @contextlib.asynccontextmanager
    async def _claimed(self, job_id: str) -> AsyncIterator[Claim | None]:
        """Give the right to deal with an upload while the block runs, None when somebody else has it."""
        claim = Claim(job_id, uuid.uuid4().hex)
        until = time.time() + LEASE_S
        got = await self._rows.write_uploads(
            lambda uploads: uploads.claim(claim, now=time.time(), until=until)
        )
        if not got:
            yield None
            return
        try:
            yield claim
        finally:
            with contextlib.suppress(DatabaseUnavailable):  # then it ends by itself
                await self._rows.write_uploads(lambda uploads: uploads.release(claim))

    async def _deal(self, claim: Claim) -> Receipt:
        # Read behind the claim: whoever had it before may have enqueued the job a moment ago.
        row = await self._find(claim.job_id)
        upload = await self._upload(claim.job_id)
        if row.status != "pending" or upload is None:
            return _known(row)
        if upload.state == "refused":
            raise ApiError(upload.problem, "the file was refused", job_id=row.job_id)
        if upload.state == "open":
            row = await self._take(claim, row, upload)
        await self._publisher.send(again(row))
        self._objects.discard(upload_key(row.job_id))
        return Receipt(row.job_id, row.filename, row.operations, "queued")

    async def _take(self, claim: Claim, row: JobRow, upload: Upload) -> JobRow:
        """Check what came, and accept it; return the job's row as it is then."""
        accepted = time.time()
        target = original_key(f"{row.job_id}-{claim.token[:16]}")
        try:
            size = await self._objects.call(lambda store: self._check_and_copy(store, upload, target))
        except ObjectMissing:
            raise ApiError("upload_missing", "the file has not come", job_id=row.job_id) from None
        except (ApiError, ImageError) as error:
            if error.code != "upload_busy":
                await self._refuse(claim, row, error)
            raise ApiError(error.code, str(error), job_id=row.job_id) from None
        held = await self._rows.write_uploads(
            lambda uploads: uploads.accept(claim, original_path=target, file_size=size, at=accepted)
        )
        if not held:
            self._objects.discard(target)
            raise ApiError("upload_busy", "another request took this upload over", job_id=row.job_id)
        return await self._find(row.job_id)

    def _check_and_copy(self, store: ObjectStore, upload: Upload, target: str) -> int:
        """Look into the file and copy it; return its bytes. Blocks."""
        source = upload_key(upload.job_id)
        with metrics.storage_call("look"):
            facts = store.look(source)
        if facts.size > self._max_bytes:
            raise ApiError("file_too_large", f"the file has more than the {self._max_bytes:,} bytes allowed")
        if upload.size not in (None, facts.size):
            raise ApiError("upload_differs", f"{upload.size:,} bytes were announced, {facts.size:,} came")
        info = inspect(remote_file(store, source, facts.size), max_pixels=self._max_pixels)
        for came in (info.content_type, facts.content_type):
            if came != upload.content_type:
                raise ApiError("upload_differs", f"{upload.content_type} was announced, {came[:60]} came")
        with metrics.storage_call("copy"):
            if not store.copy(source, target, facts.etag):
                store.delete(target)
                raise ApiError("upload_busy", "the file was replaced while it was looked at")
        return facts.size

    async def _refuse(self, claim: Claim, row: JobRow, error: ApiError | ImageError) -> None:
        await self._publisher.give_up(again(row), reason=REFUSED, code=error.code, message=str(error))
        await self._rows.write_uploads(lambda uploads: uploads.refuse(claim, error.code))
        self._objects.discard(upload_key(row.job_id))

    async def _clean(self, claim: Claim) -> None:
        """Deal with an upload whose time is over."""
        row = await self._rows.get(claim.job_id)
        upload = await self._upload(claim.job_id)
        if upload is None:
            return
        later = time.time() + GRACE_S
        if row is not None and row.status == "pending":
            if upload.state == "open":
                await self._expire(claim, row)
            # Sent: RabbitMQ may have it without a confirm. Refused: the tracker has not heard of it yet.
            await self._rows.write_uploads(lambda uploads: uploads.postpone(claim, later))
            return
        await self._objects.call(lambda store: store.delete(upload_key(claim.job_id)))
        await self._rows.write_uploads(lambda uploads: uploads.forget(claim))

    async def _expire(self, claim: Claim, row: JobRow) -> None:
        message = f"The file did not come within the {self._expiry_s} s that its URL was good for."
        await self._publisher.give_up(again(row), reason=EXPIRED, code=EXPIRED, message=message)
        await self._rows.write_uploads(lambda uploads: uploads.refuse(claim, EXPIRED))
        log.info("upload_expired", extra={"job_id": row.job_id})
        self._objects.discard(original_key(row.job_id))  # of a check that went no further

    async def _find(self, job_id: str) -> JobRow:
        row = await self._rows.get(job_id)
        if row is None:
            raise no_job(job_id)
        if row.kind != "image" or (row.status == "pending" and await self._upload(job_id) is None):
            raise ApiError("upload_not_announced", f"the job {job_id} is no direct upload")
        return row

    async def _upload(self, job_id: str) -> Upload | None:
        return await self._rows.read_uploads(lambda uploads: uploads.get(job_id))


def _known(row: JobRow) -> Receipt:
    """Return a job that was dealt with before."""
    if row.status == "failed" and row.reason in (EXPIRED, REFUSED):
        raise ApiError(row.error_code or EXPIRED, row.error_message or "", job_id=row.job_id)
    return Receipt(row.job_id, row.filename, row.operations, row.status)
