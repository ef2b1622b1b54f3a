"""One image through its operations: the whole work of an image job, between fetching and storing."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PIL import Image

from services.worker.processors.codec import Picture, decode, encode
from services.worker.processors.formats import FORMATS, Encoding
from services.worker.processors.geometry import cover, resample
from services.worker.processors.header import ImageInfo
from services.worker.processors.limits import MAX_PIXELS, check_pixels
from services.worker.processors.operation import Operation
from services.worker.processors.reduction import reduction

THUMBNAIL_SIDE = 128
"""Side of the thumbnail that every job yields, pixels."""

_THUMBNAIL_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Output:
    """One file that a job yields; `name` is unique within the job.

    Width and height are in pixels, and 0 for what is no image.
    """

    name: str
    data: bytes
    content_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an image: its header, the result, thumbnails (the standard one first) and reports."""

    source: ImageInfo
    result: Output
    thumbnails: tuple[Output, ...]
    reports: tuple[Output, ...] = ()

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Everything that is to be stored."""
        return (self.result, *self.thumbnails, *self.reports)


def process(
    original: bytes,
    operations: Iterable[Operation],
    *,
    max_pixels: int = MAX_PIXELS,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Apply the operations in their order; one decode serves the result and all thumbnails.

    The result keeps the format unless an operation changes it. It carries the colour profile and no other
    notes, but when no operation changed or reported anything it is the original itself, byte for byte.
    `sleep` waits for so many seconds. Raises `OutsideImage` and the subclasses of `ImageError`.
    """
    chain = tuple(operations)
    sides = _thumbnail_sides(chain)
    picture = decode(
        original, max_pixels=max_pixels, reduction=lambda size: reduction(size, chain, max(sides))
    )
    thumbnails = tuple(_thumbnail(picture.image, side) for side in sides)
    reports = _reports(chain, original, picture)
    image = _apply(picture.image, chain, max_pixels, sleep)
    stored = Encoding(picture.info.format)
    encoding = functools.reduce(lambda current, operation: operation.encoding(current), chain, stored)
    unchanged = picture.complete and image is picture.image and encoding == stored and not reports
    data = original if unchanged else encode(image, encoding)
    return Outcome(picture.info, _output("result", data, encoding, image), thumbnails, reports)


def _apply(
    image: Image.Image, chain: Iterable[Operation], max_pixels: int, sleep: Callable[[float], None]
) -> Image.Image:
    for operation in chain:
        check_pixels(operation.output_size(image.size), max_pixels)
        if operation.pause_s:
            sleep(operation.pause_s)
        image = operation.apply(image)
    return image


def _thumbnail_sides(chain: Iterable[Operation]) -> tuple[int, ...]:
    asked = (side for operation in chain for side in operation.thumbnails)
    return tuple(dict.fromkeys((THUMBNAIL_SIDE, *asked)))


def _thumbnail(image: Image.Image, side: int) -> Output:
    """Cut the middle square out: all thumbnails of a gallery have one shape."""
    square = resample(image, (side, side), cover(image.size, (side, side)))
    encoding = Encoding("PNG") if square.has_transparency_data else Encoding("JPEG", _THUMBNAIL_QUALITY)
    name = "thumbnail" if side == THUMBNAIL_SIDE else f"thumbnail-{side}"
    return _output(name, encode(square, encoding), encoding, square)


def _reports(chain: Iterable[Operation], original: bytes, picture: Picture) -> tuple[Output, ...]:
    named = {operation.name: operation.report(original, picture) for operation in chain}
    return tuple(
        Output(name, json.dumps(report, indent=2).encode(), "application/json", 0, 0)
        for name, report in named.items()
        if report is not None
    )


def _output(name: str, data: bytes, encoding: Encoding, image: Image.Image) -> Output:
    return Output(name, data, FORMATS[encoding.format].content_type, image.width, image.height)
