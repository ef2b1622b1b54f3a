"""An object in the store as a file to look into: only the blocks that are read come over."""

from __future__ import annotations

import io
import os
from typing import Any, BinaryIO

from services.common.errors import StorageUnavailable
from services.common.storage import ObjectStore
from services.worker.processors import NotAnImage

BLOCK_BYTES = 64 * 1024
MAX_BLOCKS = 64
"""A header that is spread over more of the file than this is none: each block is a request to the store."""


def remote_file(store: ObjectStore, key: str, size: int) -> BinaryIO:
    """Return an object of `size` bytes as a seekable file.

    Reading blocks; it raises `StorageUnavailable`, `ObjectMissing`, and `NotAnImage` after too many blocks.
    """
    return io.BufferedReader(_Blocks(store, key, size))


class _Blocks(io.RawIOBase):
    def __init__(self, store: ObjectStore, key: str, size: int) -> None:
        self._store = store
        self._key = key
        self._size = size
        self._place = 0
        self._blocks: dict[int, bytes] = {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  (anything that bytes fit into)
        if self._place >= self._size:
            return 0
        number, inside = divmod(self._place, BLOCK_BYTES)
        part = self._block(number)[inside : inside + len(buffer)]
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) == MAX_BLOCKS:
                raise NotAnImage
            start = number * BLOCK_BYTES
            length = min(BLOCK_BYTES, self._size - start)
            found = self._store.read(self._key, start, length)
            if len(found) != length:
                raise StorageUnavailable(f"the object store broke off {self._key}")
            self._blocks[number] = found
        return self._blocks[number]
