"""What the first bytes of a file say: enough to refuse it, without decoding a pixel."""

from __future__ import annotations

import contextlib
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from services.worker.processors.errors import BrokenImage, NotAnImage, TooManyPixels, TruncatedImage
from services.worker.processors.formats import FORMATS
from services.worker.processors.limits import (
    HEADER_READS,
    MAX_PIXELS,
    check_directories,
    check_pixels,
    rationed,
)

_WEBP_HEADER_BYTES = 30

# What Pillow and the codecs below it raise on damaged files. MemoryError is not one of them: it may pass.
DAMAGE = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, AttributeError),
    *(struct.error, zlib.error),
)
_SILENCE = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a header says: the format by its name in `FORMATS`, the size in pixels as stored."""

    format: str
    width: int
    height: int

    @property
    def content_type(self) -> str:
        """Media type, e.g. image/jpeg."""
        return FORMATS[self.format].content_type


def inspect(stream: BinaryIO, *, max_pixels: int = MAX_PIXELS) -> ImageInfo:
    """Read the header of a seekable stream, and leave the stream at its start.

    Raises `NotAnImage`, also for a header without end, and `TooManyPixels` above `max_pixels`. A file that
    is cut off behind its header passes: only decoding can tell.
    """
    silence_pillow()
    stream.seek(0)
    info = _webp_info(stream.read(_WEBP_HEADER_BYTES)) or _pillow_info(stream, max_pixels)
    stream.seek(0)
    check_pixels((info.width, info.height), max_pixels)
    return info


@contextlib.contextmanager
def decoding() -> Iterator[None]:
    """Turn whatever a codec raises on damaged data into `TruncatedImage` or `BrokenImage`."""
    silence_pillow()
    try:
        yield
    except Image.DecompressionBombError as error:
        raise TooManyPixels from error
    except DAMAGE as error:
        raise (TruncatedImage if "truncated" in str(error).lower() else BrokenImage) from error


def silence_pillow() -> None:
    """Ignore what Pillow warns of: here a file is good, or an error says why not."""
    # Not catch_warnings: it swaps a list that all threads share, so two workers' threads undo each other.
    if _SILENCE not in warnings.filters:
        warnings.filterwarnings("ignore", module=_SILENCE[3].pattern)


def _pillow_info(stream: BinaryIO, max_pixels: int) -> ImageInfo:
    stream.seek(0)
    try:
        check_directories(stream, max_pixels)
        image = Image.open(rationed(stream, HEADER_READS, NotAnImage), formats=tuple(FORMATS))
    except Image.DecompressionBombError as error:
        raise TooManyPixels from error
    except DAMAGE as error:
        raise NotAnImage from error
    # MPO is a JPEG with more pictures behind it, as some cameras write.
    name = "JPEG" if image.format == "MPO" else str(image.format)
    return ImageInfo(name, *image.size)


def _webp_info(head: bytes) -> ImageInfo | None:
    """Read a WebP header as RFC 9649 lays it out; Pillow reads the whole file and refuses a truncated one."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or len(head) < _WEBP_HEADER_BYTES:
        return None
    kind, data = head[12:16], head[20:]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (4, 7))
    elif kind == b"VP8L" and data[:1] == b"\x2f":
        bits = int.from_bytes(data[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 " and data[3:6] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    else:
        return None
    return ImageInfo("WEBP", width, height)
