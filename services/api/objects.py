"""The object store off the event loop: originals go in checked, objects come out as streams."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import BinaryIO, TypeVar

from services.common import metrics
from services.common.errors import StorageUnavailable
from services.common.storage import ObjectStore, StoredObject
from services.common.threads import detached
from services.worker.processors import ImageInfo, inspect

log = logging.getLogger(__name__)

WRITERS = 8
READERS = 8
TIMEOUT_S = 20.0
BUCKET_RETRY_S = 1.0

ResultT = TypeVar("ResultT")


class Objects:
    """The API's side of the object store. Raises `StorageUnavailable`, also after `timeout_s` seconds."""

    def __init__(self, store: ObjectStore, *, max_pixels: int, timeout_s: float = TIMEOUT_S) -> None:
        self._store = store
        self.ping = store.ping
        self._max_pixels = max_pixels
        self._timeout_s = timeout_s
        self._writers = ThreadPoolExecutor(WRITERS, "store-writer")
        # Apart, so that a download does not wait behind a burst of uploads.
        self._readers = ThreadPoolExecutor(READERS, "store-reader")
        self._free_writers = asyncio.Semaphore(WRITERS)
        self._bucket_wanted = asyncio.Event()
        self._discarding: set[asyncio.Task[None]] = set()

    async def store_original(self, key: str, file: BinaryIO, size: int, *, keep: bool = False) -> ImageInfo:
        """Store `file` when it is an image; raise `NotAnImage` or `TooManyPixels` when it may not be one.

        What is stored after the time-out is deleted again, unless `keep`.
        """
        async with self._free_writers:
            put = _run(self._writers, lambda: self._check_and_put(key, file, size))
            try:
                async with asyncio.timeout(self._timeout_s):
                    # Shielded: the thread goes on after a time-out, and what it stores must go again.
                    return await asyncio.shield(put)
            except TimeoutError:
                if not keep:
                    put.add_done_callback(lambda late: self._undo(late, key))
                raise StorageUnavailable(f"no answer from the store in {self._timeout_s:g} s") from None
            except StorageUnavailable:
                self._bucket_wanted.set()
                raise

    async def call(self, work: Callable[[ObjectStore], ResultT]) -> ResultT:
        """Return what some work with the store comes to."""
        async with self._free_writers:
            working = _run(self._writers, lambda: work(self._store))
            try:
                async with asyncio.timeout(self._timeout_s):
                    # Shielded, since the thread goes on after a time-out.
                    return await asyncio.shield(working)
            except TimeoutError:
                working.add_done_callback(lambda late: late.exception())  # nobody else asks for it
                raise StorageUnavailable(f"no answer from the store in {self._timeout_s:g} s") from None

    async def look(self, work: Callable[[ObjectStore], ResultT]) -> ResultT:
        """Return what a look at the store comes to; it does not wait behind a burst of uploads."""
        return await _run(self._readers, lambda: work(self._store))

    def presigned_put(self, key: str, headers: Mapping[str, str], expires_s: int) -> str:
        """Return a URL to which anybody may PUT this object with these headers, for so many seconds."""
        return self._store.presigned_put(key, headers, expires_s)

    def discard(self, key: str) -> None:
        """Delete an original that belongs to no job, in the background and at best effort."""
        task = asyncio.get_running_loop().create_task(self._discard(key))
        self._discarding.add(task)
        task.add_done_callback(self._discarding.discard)

    async def open(self, key: str) -> StoredObject:
        """Return an object as a stream for `chunks`; raise `ObjectMissing`."""

        def call() -> StoredObject:
            with metrics.storage_call("get"):
                return self._store.open(key)

        return await _run(self._readers, call)

    async def chunks(self, found: StoredObject) -> AsyncIterator[bytes]:
        """Yield the bytes of an object."""
        try:
            while chunk := await _run(self._readers, lambda: next(found.chunks, b"")):
                yield chunk
        finally:
            close(found)

    async def keep_bucket(self) -> None:
        """Make the bucket as soon as the store answers, and again when an upload finds it gone."""
        while True:
            self._bucket_wanted.clear()
            try:
                await detached(self._store.ensure_bucket)
            except StorageUnavailable as error:
                log.warning("storage_unreachable", extra={"error": str(error), "retry_in_s": BUCKET_RETRY_S})
                await asyncio.sleep(BUCKET_RETRY_S)
            else:
                await self._bucket_wanted.wait()

    async def drain(self) -> None:
        """Let what is under way end."""
        await asyncio.gather(*self._discarding)
        self._writers.shutdown(wait=False, cancel_futures=True)
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _check_and_put(self, key: str, file: BinaryIO, size: int) -> ImageInfo:
        info = inspect(file, max_pixels=self._max_pixels)
        with metrics.storage_call("put"):
            self._store.put(key, file, size, info.content_type)
        return info

    def _undo(self, late: asyncio.Future[ImageInfo], key: str) -> None:
        if late.exception() is None:
            self.discard(key)

    async def _discard(self, key: str) -> None:
        def call() -> None:
            with metrics.storage_call("delete"):
                self._store.delete(key)

        try:
            await _run(self._writers, call)
        except StorageUnavailable as error:
            log.warning("original_orphaned", extra={"key": key, "error": str(error)})


def close(found: StoredObject) -> None:
    """Give an object's connection back without reading on."""
    # A thread may still be inside the generator; then it ends with that thread.
    with contextlib.suppress(ValueError):
        found.chunks.close()


def _run(threads: Executor, call: Callable[[], ResultT]) -> asyncio.Future[ResultT]:
    return asyncio.get_running_loop().run_in_executor(threads, call)
