"""From the colours of files to the four modes that operations know, and between colour profiles."""

from __future__ import annotations

import io
from typing import cast

from PIL import Image, ImageCms, TiffImagePlugin

_SPACES = {"L": b"GRAY", "LA": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB "}
"""The modes that operations know, and what a colour profile for them says at `_SPACE`."""

_SPACE = slice(16, 20)
_MAX_PROFILE_BYTES = 1024 * 1024  # Pillow reads no longer one from a PNG


def plain(image: Image.Image) -> Image.Image:
    """Return the image in mode L, LA, RGB or RGBA; of its notes only a colour profile that fits is left."""
    clear = image.info.get("transparency")
    if image.mode in ("CMYK", "LAB"):
        made = to_srgb(image)
    elif image.mode.startswith("I;16"):
        made = _eight_bits(image, clear if isinstance(clear, int) else None)
    elif image.mode in ("I", "F"):
        made = _stretched(image)
    elif clear is not None and image.mode in ("1", "L"):
        made = image.convert("LA")
    elif clear is not None or (image.has_transparency_data and image.mode not in _SPACES):
        made = image.convert("RGBA")
    elif image.mode not in _SPACES:
        made = image.convert("L" if image.mode == "1" else "RGB")
    elif isinstance(image, TiffImagePlugin.TiffImageFile):
        made = image.copy()  # which forgets the tags: Pillow would write them again, GPS and all
    else:
        made = image
    profile = profile_of(made)
    made.info = {"icc_profile": profile} if profile else {}
    return made


def profile_of(image: Image.Image) -> bytes | None:
    """Return the colour profile of the image if it is one for its mode: none for RGB on grey pixels."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or len(profile) > _MAX_PROFILE_BYTES:
        return None
    return profile if profile[_SPACE] == _SPACES.get(image.mode) else None


def to_srgb(image: Image.Image) -> Image.Image:
    """Return the image in the colours of the web, as a viewer that minds its profile shows it.

    CMYK and LAB become RGB, other modes stay. Without a profile that can be read the colours of CMYK are a
    guess, and those of the others stay what they are. Alpha is kept.
    """
    base = image.mode.removesuffix("A")
    opaque = image.convert(base)
    shown = (_managed(opaque) or opaque).convert("L" if base == "L" else "RGB")
    if base != image.mode:
        shown.putalpha(image.getchannel("A"))
    shown.info = {}
    return shown


def _managed(image: Image.Image) -> Image.Image | None:
    """Return the image through its colour profile, or None when there is none that can be read."""
    profile = image.info.get("icc_profile")
    try:
        if image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif isinstance(profile, bytes):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        else:
            return None
        target = ImageCms.createProfile("sRGB")
        intent = ImageCms.Intent(ImageCms.getDefaultIntent(source))
        return ImageCms.profileToProfile(image, source, target, intent, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _eight_bits(image: Image.Image, clear: int | None) -> Image.Image:
    """Scale 16-bit grey, which Pillow itself would clip at 255; the level `clear` is transparent."""
    wide = image.convert("I")
    grey = wide.point(lambda level: level * (1 / 257) + 0.5).convert("L")
    if clear is not None:
        grey.putalpha(wide.point([255 * (level != clear) for level in range(65536)], "L"))
    return grey


def _stretched(image: Image.Image) -> Image.Image:
    """Show 32-bit and float grey from its darkest to its brightest value: nothing says what white is."""
    low, high = (float(cast("float", value)) for value in image.getextrema())
    scale = 255 / (high - low) if high > low else 0
    offset = 0.5 - low * scale
    return image.convert("F").point(lambda value: value * scale + offset).convert("L")
