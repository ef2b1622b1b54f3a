"""Between bytes and pixels: one decode for all outputs, one encode for each."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image

from services.worker.processors.colour import plain, profile_of, to_srgb
from services.worker.processors.errors import BrokenImage, TooManyPixels, UnwritableImage
from services.worker.processors.formats import FORMATS, Encoding, Format
from services.worker.processors.geometry import Size
from services.worker.processors.header import DAMAGE, ImageInfo, decoding, inspect
from services.worker.processors.limits import IMAGE_READS, MAX_EXIF_BYTES, check_scans, rationed

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture of each EXIF orientation upright."""

_SIDEWAYS = 5
"""EXIF orientations from here on swap width and height."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The first frame of a file, upright, in mode L, LA, RGB or RGBA; and what the file says of itself.

    `complete` says that the file shows just these pixels, so it may stand for them. `mode` is Pillow's name
    for the pixels as they were stored, `animated` counts pages too, and `exif` still has everything.
    """

    image: Image.Image
    info: ImageInfo
    complete: bool
    mode: str
    animated: bool
    exif: Image.Exif


def decode(data: bytes, *, max_pixels: int, reduction: Callable[[Size], int]) -> Picture:
    """Decode a file.

    `reduction` gets the upright size and answers by how much both sides may be divided: 1, 2, 4 or 8. JPEG
    decodes so much less then; the other formats cannot. Raises the subclasses of `ImageError`.
    """
    info = inspect(io.BytesIO(data), max_pixels=max_pixels)
    with decoding():
        source = Image.open(rationed(io.BytesIO(data), IMAGE_READS, BrokenImage), formats=(info.format,))
    if info.format == "JPEG" and "progressive" in source.info:
        check_scans(data)
    scale = reduction(_upright_size(source)) if info.format == "JPEG" else 1
    with decoding():
        animated = bool(getattr(source, "is_animated", False))
        # A TIFF turns itself while it loads. A PNG would load itself here, its failure be taken for this one.
        upright = info.format == "PNG" or _orientation(_exif(source)) == 1
        source.draft(None, (source.width // scale, source.height // scale))
        source.load()
        exif = _exif(source)
        turn = _UPRIGHT.get(_orientation(exif))
        image = plain(source.transpose(turn) if turn is not None else source)
    complete = scale == 1 and not animated and upright and turn is None
    return Picture(image, info, complete, source.mode, animated, exif)


def encode(image: Image.Image, encoding: Encoding) -> bytes:
    """Write an image of a mode that `decode` gives; transparency becomes white where there is none.

    Raises `TooManyPixels` when the format cannot hold a side that long, and `UnwritableImage` when the
    encoder gives up: WebP does so on large noise.
    """
    target = FORMATS[encoding.format]
    if max(image.size) > target.max_side:
        raise TooManyPixels(
            f"{encoding.format} holds {target.max_side:,} pixels a side, not {max(image.size):,}. Resize it."
        )
    if not target.profiled and profile_of(image):
        image = to_srgb(image)
    profile = profile_of(image)
    if image.has_transparency_data and target.transparency != "smooth":
        image = _on_white(image) if target.transparency == "none" else _cut_out(image)
    if encoding.small and target.palette:
        image = _few_colours(image)
    out = io.BytesIO()
    try:
        image.save(out, encoding.format, icc_profile=profile, **_options(target, encoding))
    except (ValueError, OSError) as error:
        raise UnwritableImage from error
    return out.getvalue()


def _upright_size(image: Image.Image) -> Size:
    width, height = image.size
    return (height, width) if _orientation(_exif(image)) >= _SIDEWAYS else (width, height)


def _orientation(exif: Image.Exif) -> int:
    try:
        return int(exif.get(ExifTags.Base.Orientation, 1))
    except DAMAGE:
        return 1


def _exif(image: Image.Image) -> Image.Exif:
    """Return a camera's notes, or none when they are broken or too long: that does not spoil its picture."""
    with contextlib.suppress(*DAMAGE):
        if len(image.info.get("exif", b"")) <= MAX_EXIF_BYTES:
            return image.getexif()
    return Image.Exif()


def _options(target: Format, encoding: Encoding) -> dict[str, Any]:
    options = {**target.options, **(target.small if encoding.small else {})}
    if encoding.quality is not None and "quality" in options:
        options["quality"] = encoding.quality
    return options


def _few_colours(image: Image.Image) -> Image.Image:
    if image.mode in ("L", "LA"):
        return image
    # Median cut chooses better colours, but knows no transparency.
    method = Image.Quantize.FASTOCTREE if image.has_transparency_data else Image.Quantize.MEDIANCUT
    return image.quantize(256, method)


def _on_white(image: Image.Image) -> Image.Image:
    opaque = image.mode.removesuffix("A")
    canvas = Image.new(opaque, image.size, "white")
    canvas.paste(image.convert(opaque), mask=image.getchannel("A"))
    return canvas


def _cut_out(image: Image.Image) -> Image.Image:
    """Make each pixel opaque or nothing: half transparent ones confuse Pillow's choice of a GIF palette."""
    shown = image.getchannel("A").point(lambda alpha: alpha // 128 * 255)
    opaque = image.convert("RGBA")
    opaque.putalpha(255)
    return Image.composite(opaque, Image.new("RGBA", image.size), shown)
