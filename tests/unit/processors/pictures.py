"""Known pictures, and what tests ask of the ones that come out."""

from __future__ import annotations

import functools
import io
import math
import struct
from typing import Literal

from PIL import Image, ImageChops, ImageCms, ImageStat

from services.worker.processors import Outcome, Output, parse_operations, process

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
MAGIC = {
    "JPEG": b"\xff\xd8\xff",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "WEBP": b"RIFF",
    "GIF": b"GIF8",
    "BMP": b"BM",
    "TIFF": b"II*\0",
}


def quarters(width: int = 40, height: int = 20, mode: str = "RGB") -> Image.Image:
    """Red and green above, blue and white below: every turn and crop shows."""
    image = Image.new("RGB", (width, height))
    for index, colour in enumerate((RED, GREEN, BLUE, WHITE)):
        left, top = index % 2 * width // 2, index // 2 * height // 2
        image.paste(colour, (left, top, left + width - width // 2, top + height - height // 2))
    return image.convert(mode)


def saved(image: Image.Image, name: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def run(data: bytes, operations: str) -> Outcome:
    """Process as a worker does, but sleep for no operation."""
    return process(data, parse_operations(operations), sleep=lambda _seconds: None)


def result(image: Image.Image, operations: str) -> Image.Image:
    """Return what the operations make of an image that is stored without loss."""
    return opened(run(saved(image), operations).result)


def opened(output: Output) -> Image.Image:
    """Open an output after checking that it is what it says."""
    image = Image.open(io.BytesIO(output.data))
    image.load()
    assert image.size == (output.width, output.height)
    assert Image.MIME[str(image.format)] == output.content_type
    assert output.data.startswith(MAGIC[str(image.format)])
    return image


def colour(image: Image.Image, across: float, down: float) -> tuple[int, ...]:
    """Return the colour at a share of the width and height."""
    point = min(int(image.width * across), image.width - 1), min(int(image.height * down), image.height - 1)
    pixel = image.convert("RGB").getpixel(point)
    assert isinstance(pixel, tuple)
    return tuple(round(value) for value in pixel)


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Return the colours of the quarters: above left and right, below left and right."""
    return [colour(image, across, down) for down in (0.25, 0.75) for across in (0.25, 0.75)]


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Return the peak signal-to-noise ratio in dB: 10 log10(255² / mean squared error)."""
    difference = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB")))
    error = sum(difference.sum2) / sum(difference.count)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


@functools.cache
def soft_disc() -> Image.Image:
    """Green that fades to nothing on all sides, over hidden red."""
    image = Image.new("RGBA", (64, 64), (*RED, 0))
    image.paste((*GREEN, 255), (16, 16, 48, 48))
    image.paste((*GREEN, 128), (16, 16, 48, 20))
    return image


@functools.cache
def swapped_profile() -> bytes:
    """Return a colour profile in which red means green, and green red."""
    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = swapped.index(b"rXYZ"), swapped.index(b"gXYZ")
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(swapped)


INKS = {
    (0, 0, 0, 0): (100, 0, 0),
    (255, 0, 0, 0): (55, -37, -50),
    (0, 255, 0, 0): (48, 74, -3),
    (0, 0, 255, 0): (89, -5, 93),
    (0, 0, 0, 255): (0, 0, 0),
}
"""What a printing press makes of some inks, as L*, a* and b* (after ISO 12647-2)."""


@functools.cache
def press_profile() -> bytes:
    """Return a CMYK profile that knows `INKS`; it takes all other mixtures for black."""
    straight = bytes(range(256))
    lattice = [(0, 0, 0)] * 16
    for (cyan, magenta, yellow, black), lab in INKS.items():
        lattice[(cyan & 8) | (magenta & 4) | (yellow & 2) | (black & 1)] = lab
    table = bytes(value for light, a, b in lattice for value in (round(light * 2.55), a + 128, b + 128))
    identity = struct.pack(">9i", *(65536 * (place % 4 == 0) for place in range(9)))
    tag = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + straight * 4 + table + straight * 3
    head = struct.pack(
        ">I4sI4s4s4s12x4s28x3i48x",
        144 + len(tag),
        b"",
        0x02400000,
        b"prtr",
        b"CMYK",
        b"Lab ",
        b"acsp",
        63190,
        65536,
        54061,
    )
    return head + struct.pack(">I4sII", 1, b"A2B0", 144, len(tag)) + tag


Space = Literal["sRGB", "LAB"]


def in_lab(image: Image.Image) -> Image.Image:
    return _managed(image, "sRGB", "LAB")


def shown(lab: tuple[int, int, int]) -> tuple[int, ...]:
    """Return the sRGB colour that looks like a colour in L*, a*, b*."""
    pixel = Image.new("LAB", (1, 1), (round(lab[0] * 2.55), lab[1] + 128, lab[2] + 128))
    return colour(_managed(pixel, "LAB", "sRGB"), 0, 0)


def _managed(image: Image.Image, source: Space, target: Space) -> Image.Image:
    before, after = ImageCms.createProfile(source), ImageCms.createProfile(target)
    seen = ImageCms.profileToProfile(image, before, after, outputMode=target.removeprefix("s"))
    assert seen is not None
    return seen
