"""Small files that would cost a careless decoder minutes or gigabytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import Image

from tests.unit.processors.pictures import quarters, saved

FILE_BYTES = 20_000_000
"""About what an upload may have."""

NUMBERS = 2_000_000


@dataclass(frozen=True, slots=True)
class Bomb:
    """A file, and how it ends: the code of an error, or `ok` where the picture behind it is good."""

    make: Callable[[], bytes]
    ends: str


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    *, size: tuple[int, int] = (64, 48), before: bytes = b"", between: bytes = b"", behind: bytes = b""
) -> bytes:
    """Return a black PNG with more chunks in front of its pixels, in front of their end, and behind them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 6, 0, 0, 0))
    rows = zlib.compress(bytes((size[0] * 4 + 1) * size[1]), 1)
    pixels = chunk(b"IDAT", rows[:20]) + between + chunk(b"IDAT", rows[20:])
    return b"\x89PNG\r\n\x1a\n" + header + before + pixels + behind + chunk(b"IEND", b"")


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg(segments: bytes) -> bytes:
    whole = saved(quarters(64, 48), "JPEG")
    return whole[:2] + segments + whole[2:]


def jpeg_of_scans() -> bytes:
    """Repeat the last scan of a progressive JPEG: each repetition takes some bytes and touches all pixels."""
    whole = saved(Image.new("L", (5000, 5000), 90), "JPEG", progressive=True, quality=30)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * 3000 + whole[-2:]


def tag(number: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", number, kind, count, value)


def directory(*tags: bytes, side: int = 8, following: int = 0) -> bytes:
    """Return the directory of a grey page with more tags, and where the directory of the next page is."""
    usual = [
        tag(256, 4, 1, side),
        tag(257, 4, 1, side),
        tag(258, 3, 1, 8),
        tag(262, 3, 1, 1),
        tag(277, 3, 1, 1),
    ]
    entries = sorted([*usual, *tags], key=lambda each: each[:2][::-1])
    return struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", following)


def tiff(*tags: bytes, behind: bytes = b"") -> bytes:
    """Return a TIFF of one page; `behind` follows at 512, where its pixels are too."""
    return (b"II*\0\x08\0\0\0" + directory(*tags)).ljust(512, b"\0") + (behind or bytes(64))


def strip(count: int = 1) -> tuple[bytes, ...]:
    return tag(259, 3, 1, 1), tag(273, 4, count, 512), tag(278, 4, 1, 8), tag(279, 4, 1, 64)


def exif_of_numbers(count: int) -> bytes:
    """Return EXIF whose orientation is a long list of fractions."""
    return (
        b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x0112, 5, count, 26, 0) + b"\1\0\0\0\1\0\0\0" * count
    )


def exif_segments(whole: bytes, size: int) -> bytes:
    parts = (whole[start : start + size] for start in range(0, len(whole), size))
    return b"".join(segment(0xE1, b"Exif\0\0" + part) for part in parts)


def gif_of_frames(count: int) -> bytes:
    whole = saved(Image.new("P", (16, 16)), "GIF")
    start = whole.index(b",", 13)
    return whole[:start] + whole[start:-1] * count + b";"


def webp_of_frames(count: int) -> bytes:
    frames = [Image.new("RGB", (16, 16), shade) for shade in ("red", "blue")]
    whole = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    start = whole.index(b"ANMF")
    size = 8 + int.from_bytes(whole[start + 4 : start + 8], "little")
    body = whole[8:start] + whole[start : start + size] * count
    return b"RIFF" + struct.pack("<I", len(body)) + body


def png_of_frames(count: int) -> bytes:
    pixels = zlib.compress(bytes((64 * 4 + 1) * 48))

    def control(number: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 64, 48, 0, 0, 1, 10, 0, 0))

    more = (
        control(2 * number + 1) + chunk(b"fdAT", struct.pack(">I", 2 * number + 2) + pixels)
        for number in range(count)
    )
    return png(before=chunk(b"acTL", struct.pack(">II", count + 1, 0)) + control(0), behind=b"".join(more))


def tiff_of_pages(count: int) -> bytes:
    size = len(directory(*strip()))
    pages = (directory(*strip(), following=1024 + size * (number + 1)) for number in range(count))
    first = (b"II*\0\x08\0\0\0" + directory(*strip(), following=1024)).ljust(1024, b"\0")
    return first + b"".join(pages) + directory(*strip())


def bmp_of_runs(side: int) -> bytes:
    """Return a picture packed as runs of one pixel each."""
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
    palette = bytes(value for level in range(256) for value in (level, 0, 0, 0))
    head = b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024)
    return head + info + palette + (b"\1\7" * side + b"\0\0") * side + b"\0\1"


def texts(name: bytes, layout: bytes) -> bytes:
    """Return 100 chunks of a megabyte of text each, a kilobyte packed."""
    packed = zlib.compress(bytes(1_000_000), 9)
    return b"".join(chunk(name, b"key%d\0" % number + layout + packed) for number in range(100))


BOMBS: Mapping[str, Bomb] = {
    "JPEG of comments": Bomb(lambda: jpeg(segment(0xFE, b"") * (FILE_BYTES // 4)), "not_an_image"),
    "JPEG of notes": Bomb(lambda: jpeg(segment(0xE5, b"") * (FILE_BYTES // 4)), "not_an_image"),
    "JPEG of padding": Bomb(lambda: jpeg(b"\xff\0" * (FILE_BYTES // 2)), "not_an_image"),
    "JPEG of EXIF": Bomb(lambda: jpeg(exif_segments(bytes(FILE_BYTES // 2), 90)), "not_an_image"),
    "JPEG of numbers": Bomb(lambda: jpeg(exif_segments(exif_of_numbers(NUMBERS), 60_000)), "not_an_image"),
    "JPEG of scans": Bomb(jpeg_of_scans, "broken_image"),
    "PNG of chunks": Bomb(lambda: png(before=chunk(b"abCd", b"") * (FILE_BYTES // 12)), "not_an_image"),
    "PNG of late chunks": Bomb(lambda: png(behind=chunk(b"abCd", b"") * (FILE_BYTES // 12)), "broken_image"),
    "PNG of empty pixels": Bomb(
        lambda: png(size=(900, 900), between=chunk(b"IDAT", b"") * (FILE_BYTES // 12)), "broken_image"
    ),
    "PNG of text": Bomb(lambda: png(before=texts(b"zTXt", b"\0")), "not_an_image"),
    "PNG of late text": Bomb(lambda: png(behind=texts(b"iTXt", b"\1\0\0\0")), "broken_image"),
    "PNG of one text": Bomb(
        lambda: png(before=chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(100_000_000), 1))), "not_an_image"
    ),
    "PNG of profile": Bomb(
        lambda: png(before=chunk(b"iCCP", b"key\0\0" + zlib.compress(bytes(100_000_000), 1))), "not_an_image"
    ),
    "PNG of numbers": Bomb(lambda: png(before=chunk(b"eXIf", exif_of_numbers(NUMBERS))), "ok"),
    "PNG of frames": Bomb(lambda: png_of_frames(100_000), "ok"),
    "PNG of rows": Bomb(lambda: png(size=(1, 2_000_000)), "too_many_pixels"),
    "PNG of pixels": Bomb(lambda: png(size=(7071, 7071)), "ok"),
    "GIF of comments": Bomb(
        lambda: b"GIF89a\4\0\4\0\0\0\0" + b"!\xfe\0" * (FILE_BYTES // 3) + gif_of_frames(1)[13:],
        "not_an_image",
    ),
    "GIF of frames": Bomb(lambda: gif_of_frames(100_000), "ok"),
    "WebP of frames": Bomb(lambda: webp_of_frames(100_000), "ok"),
    "WebP of numbers": Bomb(lambda: saved(quarters(), "WEBP", exif=exif_of_numbers(NUMBERS)), "ok"),
    "BMP of runs": Bomb(lambda: bmp_of_runs(1000), "broken_image"),
    "TIFF of strips": Bomb(
        lambda: tiff(*strip(NUMBERS), behind=struct.pack("<I", 512) * NUMBERS), "not_an_image"
    ),
    "TIFF of numbers": Bomb(
        lambda: tiff(*strip(), tag(282, 5, NUMBERS, 512), behind=b"\1\0\0\0" * 2 * NUMBERS), "not_an_image"
    ),
    "TIFF of camera numbers": Bomb(
        lambda: tiff(*strip(), tag(34665, 4, 1, 512), behind=exif_of_numbers(NUMBERS)[8:]), "not_an_image"
    ),
    "TIFF of one tile": Bomb(
        lambda: tiff(
            tag(259, 3, 1, 8),
            tag(322, 4, 1, 8_000),
            tag(323, 4, 1, 8_000),
            tag(324, 4, 1, 512),
            tag(325, 4, 1, 1_000_000),
            behind=zlib.compress(bytes(64_000_000), 1),
        ),
        "too_many_pixels",
    ),
    "TIFF of pages": Bomb(lambda: tiff_of_pages(100_000), "ok"),
}
