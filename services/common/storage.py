"""The object store: originals, results and thumbnails over S3; the only module that imports minio.

Calls block; an event loop runs them in threads. Keys are made by the functions below and nowhere else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from services.common.errors import ObjectMissing, StorageUnavailable

CHUNK_BYTES = 64 * 1024
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 20.0
CONNECTIONS = 32
_MISSING = {"NoSuchKey", "NoSuchObject"}


def original_key(job_id: str) -> str:
    """Return the key of the bytes that a client uploaded."""
    return f"originals/{job_id}"


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

    def delete(self, prefix: str) -> int:
        """Delete all objects whose key begins with `prefix`; return how many."""

    def ping(self) -> None:
        """Return when the store answers for its bucket."""


class S3Store:
    """An object store behind an S3 endpoint such as `http://127.0.0.1:9000`."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str, bucket: str) -> None:
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
            region="us-east-1",  # given, so that no request has to ask for it
            http_client=pool,
        )
        self._bucket = bucket

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
            yield from response.stream(CHUNK_BYTES)
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
