from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from services.worker.processors.colour import to_srgb
from services.worker.processors.geometry import Size
from services.worker.processors.operation import Operation


@dataclass(frozen=True, slots=True)
class Grayscale(Operation):
    """Take the colour away: each pixel becomes as bright as it looks (ITU-R BT.601); transparency stays."""

    name = "grayscale"
    usage = "grayscale"

    def apply(self, image: Image.Image) -> Image.Image:
        """Return the image in mode L or LA; grey has no use of a profile for colours, so that is applied."""
        if image.mode in ("L", "LA"):
            return image
        profiled = to_srgb(image) if image.info.get("icc_profile") else image
        return profiled.convert("LA" if image.has_transparency_data else "L")

    def shrink(self, size: Size) -> None:
        """Return None: each pixel is looked at alone."""
