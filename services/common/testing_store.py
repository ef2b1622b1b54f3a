"""The object store's in-memory twin."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from services.common.errors import ObjectMissing, StorageUnavailable
from services.common.storage import CHUNK_BYTES, ObjectFacts, StoredObject


class MemoryStore:
    """An object store in this process; set `available` to False to have it fail."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.available = True

    def ensure_bucket(self) -> None:
        """Do nothing: there is one bucket."""
        self.ping()

    def put(self, key: str, data: BinaryIO, size: int, content_type: str) -> None:
        """Store `size` bytes read from `data`."""
        self.ping()
        self.objects[key] = (data.read(size), content_type)

    def get(self, key: str) -> bytes:
        """Return all bytes of an object."""
        self.ping()
        with _missing(key):
            return self.objects[key][0]

    def open(self, key: str) -> StoredObject:
        """Return an object as a stream."""
        data, facts = self.get(key), self.look(key)
        chunks = (data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))
        return StoredObject(chunks, facts.size, facts.content_type, f'"{facts.etag}"')

    def look(self, key: str) -> ObjectFacts:
        """Return what is known of an object."""
        data = self.get(key)
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return ObjectFacts(len(data), self.objects[key][1], etag)

    def read(self, key: str, start: int, length: int) -> bytes:
        """Return a part of an object."""
        return self.get(key)[start : start + length]

    def copy(self, source: str, target: str, etag: str) -> bool:
        """Copy an object while its etag is this one."""
        if self.look(source).etag != etag:
            return False
        self.objects[target] = self.objects[source]
        return True

    def presigned_put(self, key: str, headers: Mapping[str, str], expires_s: int) -> str:
        """Return an address that says what it is for; nobody answers there."""
        return f"memory:///{key}?expires={expires_s}&headers={','.join(headers)}"

    def delete(self, prefix: str) -> int:
        """Delete all objects whose key begins with `prefix`."""
        self.ping()
        found: Sequence[str] = [key for key in self.objects if key.startswith(prefix)]
        for key in found:
            del self.objects[key]
        return len(found)

    def ping(self) -> None:
        """Return, or raise `StorageUnavailable` while `available` is False."""
        if not self.available:
            raise StorageUnavailable


@contextlib.contextmanager
def _missing(key: str) -> Iterator[None]:
    try:
        yield
    except KeyError:
        raise ObjectMissing(f"no object {key} in the store") from None
