from __future__ import annotations

import contextlib
import hashlib
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import ExifTags, Image

from services.worker.processors.codec import Picture
from services.worker.processors.geometry import Size
from services.worker.processors.header import DAMAGE
from services.worker.processors.operation import Operation

_MAX_LENGTH = 200
_MAX_VALUES = 16
# The place, blocks of other standards that may name it too, and a mere pointer.
_LEFT_OUT = {
    ExifTags.Base.GPSInfo,
    ExifTags.Base.MakerNote,
    ExifTags.Base.XMLPacket,
    ExifTags.Base.ImageResources,
    ExifTags.Base.IPTCNAA,
    ExifTags.Base.ExifOffset,
}

Value = str | int | float | list["Value"]


@dataclass(frozen=True, slots=True)
class Metadata(Operation):
    """Describe the original in a JSON file beside the result: size, format, EXIF, SHA-256, but no place.

    The result is written anew, so it has no EXIF at all, and no GPS.
    """

    name = "metadata"
    usage = "metadata"

    def shrink(self, size: Size) -> None:
        """Return None: no pixel changes."""

    def report(self, original: bytes, picture: Picture) -> Mapping[str, object]:
        """Return what there is to say."""
        return {
            "format": picture.info.format,
            "content_type": picture.info.content_type,
            "bytes": len(original),
            "sha256": hashlib.sha256(original).hexdigest(),
            "width": picture.info.width,
            "height": picture.info.height,
            "mode": picture.mode,
            "animated": picture.animated,
            "exif": _readable(picture.exif),
            "gps_dropped": ExifTags.Base.GPSInfo in picture.exif,
        }


def _readable(exif: Image.Exif) -> dict[str, Value]:
    """Return the tags that people can read, by name; of broken notes those before the damage."""
    found: dict[str, Value] = {}
    with contextlib.suppress(*DAMAGE):
        found |= _directory(exif)
        found |= _directory(exif.get_ifd(ExifTags.IFD.Exif))
    return dict(sorted(found.items()))


def _directory(tags: Mapping[int, object]) -> dict[str, Value]:
    named = {ExifTags.TAGS[tag]: tags[tag] for tag in tags if tag in ExifTags.TAGS and tag not in _LEFT_OUT}
    return {name: value for name, raw in named.items() if (value := _value(raw)) is not None}


def _value(raw: object) -> Value | None:
    """Return text, a number or a short list of them; None for bytes and for what is no number."""
    if isinstance(raw, str):
        return raw.strip("\0 ")[:_MAX_LENGTH] or None
    if isinstance(raw, int):
        return raw
    if isinstance(raw, numbers.Real):
        return round(float(raw), 6) if math.isfinite(raw) else None
    if isinstance(raw, tuple) and len(raw) <= _MAX_VALUES:
        values = [_value(each) for each in raw]
        return [value for value in values if value is not None] if None not in values else None
    return None
