from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from PIL import Image

from services.worker.processors import arguments
from services.worker.processors.geometry import Size
from services.worker.processors.operation import Operation

_MIRRORS = {
    "horizontal": Image.Transpose.FLIP_LEFT_RIGHT,
    "vertical": Image.Transpose.FLIP_TOP_BOTTOM,
}


@dataclass(frozen=True, slots=True)
class Flip(Operation):
    """Mirror: `horizontal` swaps left and right, `vertical` swaps above and below."""

    name = "flip"
    usage = "flip,horizontal"

    direction: str = "horizontal"

    @classmethod
    def parse(cls, direction: str = "horizontal") -> Self:
        """Read `horizontal` or `vertical`."""
        return cls(arguments.choice(direction, _MIRRORS))

    def apply(self, image: Image.Image) -> Image.Image:
        """Move every pixel to the other side."""
        return image.transpose(_MIRRORS[self.direction])

    def shrink(self, size: Size) -> None:
        """Return None: pixels only move."""
