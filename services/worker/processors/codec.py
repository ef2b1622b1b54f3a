"""Between bytes and pixels: one decode for all outputs, one encode for each."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import ExifTags, Image

from services.worker.processors.errors import TooManyPixels
from services.worker.processors.formats import FORMATS, Encoding
from services.worker.processors.geometry import Size
from services.worker.processors.header import DAMAGE, ImageInfo, decoding, inspect

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

_MODES = ("L", "LA", "RGB", "RGBA")


@dataclass(frozen=True, slots=True)
class Picture:
    """The first frame of a file, upright, in mode L, LA, RGB or RGBA.

    `complete` says that the file shows just these pixels, so it may stand for them.
    """

    image: Image.Image
    info: ImageInfo
    complete: bool


def decode(data: bytes, *, max_pixels: int, reduction: Callable[[Size], int]) -> Picture:
    """Decode a file.

    `reduction` gets the upright size and answers by how much both sides may be divided: 1, 2, 4 or 8. JPEG
    decodes so much less then; the other formats cannot. Raises the subclasses of `ImageError`.
    """
    info = inspect(io.BytesIO(data), max_pixels=max_pixels)
    with decoding():
        source = Image.open(io.BytesIO(data), formats=(info.format,))
    scale = reduction(_upright_size(source)) if info.format == "JPEG" else 1
    with decoding():
        complete = scale == 1 and not getattr(source, "is_animated", False)
        source.draft(None, (source.width // scale, source.height // scale))
        source.load()
        turn = _UPRIGHT.get(_orientation(source))
        image = _plain(source.transpose(turn) if turn is not None else source)
    return Picture(image, info, complete and turn is None)


def encode(image: Image.Image, encoding: Encoding) -> bytes:
    """Write an image of a mode that `decode` gives; transparency becomes white where there is none.

    Raises `TooManyPixels` when the format cannot hold a side that long.
    """
    target = FORMATS[encoding.format]
    if max(image.size) > target.max_side:
        raise TooManyPixels(
            f"{encoding.format} holds {target.max_side:,} pixels a side, not {max(image.size):,}. Resize it."
        )
    if image.has_transparency_data and target.transparency != "smooth":
        image = _on_white(image) if target.transparency == "none" else _cut_out(image)
    options = dict(target.options)
    if encoding.quality is not None and "quality" in options:
        options["quality"] = encoding.quality
    out = io.BytesIO()
    image.save(out, encoding.format, icc_profile=image.info.get("icc_profile"), **options)
    return out.getvalue()


def _upright_size(image: Image.Image) -> Size:
    width, height = image.size
    return (height, width) if _orientation(image) >= _SIDEWAYS else (width, height)


def _orientation(image: Image.Image) -> int:
    # Before load() only JPEG may be asked: PNG would load itself here, and its failure be taken for this one.
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except DAMAGE:  # a camera's broken notes do not spoil its picture
        return 1


def _plain(image: Image.Image) -> Image.Image:
    """Bring every other mode to one that operations know, and keep of the notes only the colour profile."""
    # A CMYK profile would be wrong on RGB pixels.
    profile = image.info.get("icc_profile") if image.mode != "CMYK" else None
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey to 255 instead of scaling it.
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    elif "transparency" in image.info or (image.has_transparency_data and image.mode not in _MODES):
        image = image.convert("RGBA")
    elif image.mode not in _MODES:
        image = image.convert("L" if image.mode in ("1", "F") else "RGB")
    image.info = {"icc_profile": profile} if profile else {}
    return image


def _on_white(image: Image.Image) -> Image.Image:
    opaque = image.mode.removesuffix("A")
    canvas = Image.new(opaque, image.size, "white")
    canvas.info = dict(image.info)
    canvas.paste(image.convert(opaque), mask=image.getchannel("A"))
    return canvas


def _cut_out(image: Image.Image) -> Image.Image:
    """Make each pixel opaque or nothing: half transparent ones confuse Pillow's choice of a GIF palette."""
    shown = image.getchannel("A").point(lambda alpha: alpha // 128 * 255)
    opaque = image.convert("RGBA")
    opaque.putalpha(255)
    return Image.composite(opaque, Image.new("RGBA", image.size), shown)
