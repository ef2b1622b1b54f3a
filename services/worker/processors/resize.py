from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from PIL import Image

from services.worker.processors import arguments
from services.worker.processors.geometry import Size, cover, fit, resample
from services.worker.processors.operation import Operation


@dataclass(frozen=True, slots=True)
class Resize(Operation):
    """Fit into a size, keeping the ratio and never enlarging; `cover` fills the size and crops the rest.

    One side may be left open. With `cover` the result has exactly the size asked for, also when that is
    larger than the image.
    """

    name = "resize"
    usage = "resize,800x600 or resize,800 or resize,x600 or resize,800x600,cover"

    width: int | None = 800
    height: int | None = 600
    cover: bool = False

    @classmethod
    def parse(cls, size: str = "800x600", mode: str = "fit") -> Self:
        """Read a size and `fit` or `cover`."""
        if arguments.choice(mode, ("fit", "cover")) == "cover":
            return cls(*arguments.size(size), cover=True)
        return cls(*arguments.sides(size))

    def arguments(self) -> tuple[str, ...]:
        """Return `800x600`, `800x`, or `800x600` and `cover`."""
        size = f"{self.width or ''}x{self.height or ''}"
        return (size, "cover") if self.cover else (size,)

    def apply(self, image: Image.Image) -> Image.Image:
        """Resample to the size, with `cover` the middle of the image only."""
        size = self.output_size(image.size)
        return resample(image, size, cover(image.size, size) if self.cover else None)

    def output_size(self, size: Size) -> Size:
        """Return the size asked for, or what fits into it."""
        if self.cover and self.width and self.height:
            return self.width, self.height
        return fit(size, self.width, self.height)

    def shrink(self, size: Size) -> float:
        """Return the ratio of the sides: with `cover` the smaller one, since the other is cropped."""
        width, height = self.output_size(size)
        ratios = size[0] / width, size[1] / height
        # Without cover they differ by rounding only.
        return min(ratios) if self.cover else max(ratios)
