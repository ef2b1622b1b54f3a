from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from PIL import Image

from services.worker.processors import arguments
from services.worker.processors.geometry import Size
from services.worker.processors.operation import Operation

# Pillow counts counter-clockwise.
_QUARTERS = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Rotate(Operation):
    """Turn clockwise: quarter turns only move pixels, other angles resample onto a larger canvas."""

    name = "rotate"
    usage = "rotate,90"

    degrees: float = 90

    @classmethod
    def parse(cls, degrees: str = "90") -> Self:
        """Read an angle from -360 to 360 degrees; -90 is written 270 afterwards."""
        return cls(round(arguments.number(degrees, -360, 360) % 360, 3))

    def apply(self, image: Image.Image) -> Image.Image:
        """Turn; the corners that open are transparent, or white where the image is opaque."""
        if self.degrees == 0:
            return image
        if self.degrees in _QUARTERS:
            return image.transpose(_QUARTERS[int(self.degrees)])
        corners = 0 if image.has_transparency_data else "white"
        return image.rotate(-self.degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=corners)

    def output_size(self, size: Size) -> Size:
        """Return the box around the turned image."""
        width, height = size
        if self.degrees % 180 == 0:
            return size
        if self.degrees in _QUARTERS:
            return height, width
        sine, cosine = (abs(turn(math.radians(self.degrees))) for turn in (math.sin, math.cos))
        return math.ceil(width * cosine + height * sine), math.ceil(width * sine + height * cosine)

    def shrink(self, size: Size) -> float | None:  # noqa: ARG002 - the same for every size
        """Return None for quarter turns: they look at no pixel."""
        return None if self.degrees % 90 == 0 else 1
