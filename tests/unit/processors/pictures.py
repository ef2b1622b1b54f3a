"""Known pictures, and what tests ask of the ones that come out."""

from __future__ import annotations

import functools
import io
import math

from PIL import Image, ImageChops, ImageStat

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
