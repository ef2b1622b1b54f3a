"""What keeps a file of a few megabytes from costing minutes or gigabytes.

Pixels are counted in the header. But a file can also be made of a million empty parts, repeat one scan a
thousand times, or hide a huge tile in a tiny image, and Pillow follows it: what is too much of that is
refused here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, cast

from services.worker.processors.errors import BrokenImage, ImageError, NotAnImage, TooManyPixels
from services.worker.processors.geometry import Size

MAX_PIXELS = 50_000_000
_MAX_SIDE = 65_535

HEADER_READS = 4_000
"""Pillow reads each part of a header on its own: about a thousand parts are allowed."""

IMAGE_READS = 500_000
"""For a whole image: run lengths of a BMP and blocks of a GIF are read one by one."""

MAX_EXIF_BYTES = 1024 * 1024
_MAX_SCANS = 100
_MAX_TIFF_VALUES = 200_000

_TOO_MUCH = "The file has more parts, or longer notes, than an image needs. Save it again without them."

# Not in here: escaped 0xFF, restart markers and the others that have no length.
_JPEG_PART = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])", re.DOTALL)
_START_OF_SCAN, _END_OF_IMAGE = b"\xda", b"\xd9"

# First bytes, byte order, layout of the header behind them, of the number of entries and of one entry.
_TIFF = {
    b"II*\0": ("<", "I", "H", "HHI4s"),
    b"MM\0*": (">", "I", "H", "HHI4s"),
    # Swapped, but Pillow reads them.
    b"II\0*": ("<", "I", "H", "HHI4s"),
    b"MM*\0": (">", "I", "H", "HHI4s"),
    b"II+\0": ("<", "4xQ", "Q", "HHQ8s"),
}
_TIFF_MISREAD = b"MM\0+"
_TIFF_TEXT = {1, 2, 7}
_TIFF_NUMBERS = {1: "B", 6: "B", 3: "H", 8: "H", 4: "I", 9: "I", 13: "I", 16: "Q", 17: "Q", 18: "Q"}
_TIFF_TILE = (322, 323)
_TIFF_DIRECTORIES = {34665, 34853, 40965}
_MAX_TIFF_DIRECTORIES = 8
_MAX_TIFF_ENTRIES = 0xFFFF


def check_pixels(size: Size, max_pixels: int) -> None:
    """Raise `TooManyPixels` for a size that would not fit into memory, where each row costs extra."""
    width, height = size
    if width * height > max_pixels:
        raise TooManyPixels(
            f"{width}x{height} is more than the {max_pixels:,} pixels allowed. Use a smaller image."
        )
    if max(size) > _MAX_SIDE:
        raise TooManyPixels(f"{width}x{height} has more than {_MAX_SIDE:,} pixels on a side. Use less.")


def rationed(stream: BinaryIO, reads: int, refusal: type[ImageError]) -> BinaryIO:
    """Return the stream as one that may be read from so many times; the next one raises `refusal`."""
    return cast("BinaryIO", _Rationed(stream, reads, refusal))


class _Rationed:
    def __init__(self, stream: BinaryIO, reads: int, refusal: type[ImageError]) -> None:
        self.seek, self.tell = stream.seek, stream.tell
        self._stream = stream
        self._reads = reads
        self._exif_bytes = 0
        self._refusal = refusal

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._reads -= 1
        # Pillow joins the EXIF segments of a JPEG by copying all of them each time, and reads numbers there.
        if data.startswith(b"Exif\0\0"):
            self._exif_bytes += len(data)
        if self._reads < 0 or self._exif_bytes > MAX_EXIF_BYTES:
            raise self._refusal(_TOO_MUCH)
        return data


def check_scans(data: bytes) -> None:
    """Raise `BrokenImage` for a progressive JPEG with too many scans: each one touches every pixel again."""
    position = scans = 0
    for _ in range(HEADER_READS):
        part = _JPEG_PART.search(data, position)
        if part is None or part[1] == _END_OF_IMAGE:
            return
        scans += part[1] == _START_OF_SCAN
        if scans > _MAX_SCANS:
            break
        position = part.end() + int.from_bytes(data[part.end() : part.end() + 2], "big")
    raise BrokenImage(_TOO_MUCH)


def check_directories(stream: BinaryIO, max_pixels: int) -> None:
    """Raise `NotAnImage` or `TooManyPixels` when the directories of a TIFF ask for too much.

    Pillow makes an object of each of its numbers, and libtiff takes memory for a whole tile, however small
    the image is. Any other file passes.
    """
    prefix = stream.read(4)
    if prefix == _TIFF_MISREAD:
        # Big-endian BigTIFF: Pillow takes its offsets for those of an ordinary TIFF.
        raise NotAnImage
    layout = _TIFF.get(prefix)
    if layout is None:
        return
    values, tile = 0, dict.fromkeys(_TIFF_TILE, 0)
    for tag, kind, count, value in _tiff_entries(stream, *layout):
        values += 0 if kind in _TIFF_TEXT else count
        if tag in tile:
            tile[tag] = max(tile[tag], _number(layout[0], kind, value))
    if values > _MAX_TIFF_VALUES:
        raise NotAnImage(_TOO_MUCH)
    width, height = tile.values()
    check_pixels((width, height), max_pixels)


def _tiff_entries(
    stream: BinaryIO, order: str, header: str, number: str, entry: str
) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield tag, type, count and value field of the first page's directory and of those that hang on it."""
    directories = [_unpack(stream, order + header)]
    for offset in directories:  # which grows meanwhile
        stream.seek(offset)
        entries = min(_unpack(stream, order + number), _MAX_TIFF_ENTRIES)
        size = struct.calcsize(order + entry)
        block = stream.read(entries * size)
        for tag, kind, count, value in struct.iter_unpack(order + entry, block[: len(block) // size * size]):
            yield tag, kind, count, value
            if tag in _TIFF_DIRECTORIES and len(directories) < _MAX_TIFF_DIRECTORIES:
                directories.append(_number(order, kind, value))


def _unpack(stream: BinaryIO, layout: str) -> int:
    """Read a number, or 0 at the end of the stream: a directory that is not there has no entries."""
    data = stream.read(struct.calcsize(layout)).ljust(struct.calcsize(layout), b"\0")
    return int(struct.unpack(layout, data)[0])


def _number(order: str, kind: int, value: bytes) -> int:
    return int(struct.unpack_from(order + _TIFF_NUMBERS[kind], value)[0])
