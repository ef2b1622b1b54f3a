"""The object store: originals, results and thumbnails over S3; the only module that imports minio.

Calls block; an event loop runs them in threads. Keys are made by the functions below and nowhere else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from services.common.errors import ObjectMissing, StorageUnavailable
from services.common.presign import Signer

CHUNK_BYTES = 64 * 1024
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 20.0
CONNECTIONS = 32
REGION = "us-east-1"
_MISSING = {"NoSuchKey", "NoSuchObject"}
_CHANGED = {"PreconditionFailed"}


def original_key(job_id: str) -> str:
    """Return the key of the bytes that a client uploaded."""
    return f"originals/{job_id}"


def upload_key(job_id: str) -> str:
    """Return the key that a client's own upload comes to: nothing reads it before it was checked."""
    return f"uploads/{job_id}"


def output_key(job_id: str, name: str) -> str:
    """Return the key of a job's output: made from the job alone, so a redelivery overwrites it."""
    return f"results/{job_id}/{name}"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's bytes, as they come, and what the store knows of it."""

    chunks: Generator[bytes]
    size: int
    content_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What the store knows of an object; the etag is another one as soon as the bytes are others."""

    size: int
    content_type: str
    etag: str


class ObjectStore(Protocol):
    """What the pipeline asks of an object store.

    Every method raises `StorageUnavailable` when the store does not answer, and those that read
    `ObjectMissing` when the key is not there.
    """

    def ensure_bucket(self) -> None:
        """Make the bucket when it is not there."""

    def put(self, key: str, data: BinaryIO, size: int, content_type: str) -> None:
        """Store `size` bytes read from `data`; an object of that key is replaced."""

    def get(self, key: str) -> bytes:
        """Return all bytes of an object."""

    def open(self, key: str) -> StoredObject:
        """Return an object as a stream; read it to its end, or close the generator."""

    def look(self, key: str) -> ObjectFacts:
        """Return what is known of an object, without its bytes."""

    def read(self, key: str, start: int, length: int) -> bytes:
        """Return a part of an object; `start + length` is not beyond its end."""

    def copy(self, source: str, target: str, etag: str) -> bool:
        """Copy an object inside the store while its etag is this one; tell whether it was."""

    def presigned_put(self, key: str, headers: Mapping[str, str], expires_s: int) -> str:
        """Return a URL to which anybody may PUT this object with these headers, for so many seconds."""

    def delete(self, prefix: str) -> int:
        """Delete all objects whose key begins with `prefix`; return how many."""

    def ping(self) -> None:
        """Return when the store answers for its bucket."""


class S3Store:
    """An object store behind an S3 endpoint such as `http://127.0.0.1:9000`.

    `public_endpoint` is how clients outside write its address, where that is another one: a presigned URL
    is signed for one address.
    """

    def __init__(
        self, endpoint: str, access_key: str, secret_key: str, bucket: str, public_endpoint: str = ""
    ) -> None:
        url = urlsplit(endpoint)
        # One quick second try mends a connection that the server closed while idle; the rest is for the retry
        # queues.
        retries = urllib3.Retry(total=1, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504])
        pool = urllib3.PoolManager(
            maxsize=CONNECTIONS,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            retries=retries,
        )
        self._client = Minio(
            url.netloc,
            access_key=access_key,
            secret_key=secret_key,
            secure=url.scheme == "https",
            region=REGION,  # given, so that no request has to ask for it
            http_client=pool,
        )
        self._bucket = bucket
        self._signer = Signer(
            endpoint=public_endpoint or endpoint,
            region=REGION,
            access_key=access_key,
            secret_key=secret_key,
        )

    def ensure_bucket(self) -> None:
        """Make the bucket when it is not there."""
        with _translated(self._bucket):
            if not self._client.bucket_exists(self._bucket):
                try:
                    self._client.make_bucket(self._bucket)
                except S3Error as error:
                    # Another program was first.
                    if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                        raise

    def put(self, key: str, data: BinaryIO, size: int, content_type: str) -> None:
        """Store `size` bytes read from `data`; an object of that key is replaced."""
        with _translated(key):
            # Parts of 5 MiB, one after the other: three at a time would hold a whole upload in memory.
            self._client.put_object(self._bucket, key, data, size, content_type, num_parallel_uploads=1)

    def get(self, key: str) -> bytes:
        """Return all bytes of an object."""
        found = self.open(key)
        data = b"".join(found.chunks)
        if len(data) != found.size:
            raise StorageUnavailable(
                f"the object store broke off {key}: {len(data)} of {found.size} bytes came"
            )
        return data

    def open(self, key: str) -> StoredObject:
        """Return an object as a stream."""
        with _translated(key):
            response = self._client.get_object(self._bucket, key)
        headers = response.headers
        chunks = _chunks(response, key)
        next(chunks)  # begun, since closing a generator that never ran would leave its connection open
        return StoredObject(
            chunks,
            int(headers.get("content-length", 0)),
            headers.get("content-type", "application/octet-stream"),
            headers.get("etag", ""),
        )

    def look(self, key: str) -> ObjectFacts:
        """Return what is known of an object, without its bytes."""
        with _translated(key):
            found = self._client.stat_object(self._bucket, key)
        return ObjectFacts(found.size or 0, found.content_type or "", found.etag or "")

    def read(self, key: str, start: int, length: int) -> bytes:
        """Return a part of an object; `start + length` is not beyond its end."""
        with _translated(key):
            response = self._client.get_object(self._bucket, key, offset=start, length=length)
            try:
                return response.read(decode_content=False)
            finally:
                response.close()
                response.release_conn()

    def copy(self, source: str, target: str, etag: str) -> bool:
        """Copy an object inside the store while its etag is this one; tell whether it was."""
        try:
            with _translated(source):
                self._client.copy_object(
                    self._bucket, target, CopySource(self._bucket, source, match_etag=etag)
                )
        except StorageUnavailable as error:
            if isinstance(error.__cause__, S3Error) and error.__cause__.code in _CHANGED:
                return False
            raise
        # nanio copies whatever the condition says.
        return self.look(source).etag == etag

    def presigned_put(self, key: str, headers: Mapping[str, str], expires_s: int) -> str:
        """Return a URL to which anybody may PUT this object with these headers, for so many seconds."""
        path = f"/{self._bucket}/{key}"
        return self._signer.url("PUT", path, headers, at=datetime.now(UTC), expires_s=expires_s)

    def delete(self, prefix: str) -> int:
        """Delete all objects whose key begins with `prefix`; return how many."""
        with _translated(prefix):
            found = self._client.list_objects(self._bucket, prefix, recursive=True)
            names = [item.object_name for item in found if item.object_name]
            errors = list(self._client.remove_objects(self._bucket, [DeleteObject(name) for name in names]))
        if errors:
            raise StorageUnavailable(f"the object store kept {len(errors)} objects: {errors[0]}")
        return len(names)

    def ping(self) -> None:
        """Return when the store answers for its bucket."""
        with _translated(self._bucket):
            if not self._client.bucket_exists(self._bucket):
                raise StorageUnavailable(f"the bucket {self._bucket} is not there yet")


def _chunks(response: urllib3.BaseHTTPResponse, key: str) -> Generator[bytes]:
    try:
        yield b""
        with _translated(key):
            # As it lies there: whoever stored it may have called it compressed.
            yield from response.stream(CHUNK_BYTES, decode_content=False)
    finally:
        response.close()
        response.release_conn()


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        if error.code in _MISSING:
            raise ObjectMissing(f"no object {what} in the store") from error
        raise StorageUnavailable(f"the object store refused {what}: {error.code}") from error
    except (MinioException, HTTPError, OSError) as error:
        raise StorageUnavailable(f"the object store did not answer for {what}: {error!r}") from error
