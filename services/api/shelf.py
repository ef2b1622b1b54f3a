"""Many files in one temporary file, so that a batch of a hundred needs one descriptor."""

from __future__ import annotations

import io
import os
import threading
from typing import IO, BinaryIO, cast

from typing_extensions import Buffer


class Shelf:
    """Files one behind the other in `whole`, each written to its end before the next one begins."""

    def __init__(self, whole: IO[bytes]) -> None:
        self._whole = whole
        self._lock = threading.Lock()

    def add(self) -> BinaryIO:
        """Return a new file, which several threads may read beside the others."""
        return cast("BinaryIO", _Slice(self))

    def append(self, data: Buffer) -> int:
        """Write at the end; return where that was."""
        with self._lock:
            start = self._whole.seek(0, os.SEEK_END)
            self._whole.write(data)
            return start

    def read(self, start: int, count: int) -> bytes:
        """Return `count` bytes from `start` on."""
        with self._lock:
            self._whole.seek(start)
            return self._whole.read(count)


class _Slice(io.RawIOBase):
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._start = 0
        self._size = 0
        self._at = 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        count = memoryview(data).nbytes
        begun = self._shelf.append(data)
        # Known only now: a file's headers may be parsed while the one before is still to be written.
        self._start = self._start if self._size else begun
        self._size += count
        return count

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._shelf.read(self._start + self._at, max(0, min(len(view), self._size - self._at)))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def tell(self) -> int:
        return self._at
