from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from PIL import Image

from services.worker.processors import arguments
from services.worker.processors.errors import OutsideImage
from services.worker.processors.geometry import Size
from services.worker.processors.operation import Operation

_MAX_OFFSET = 99_999
_BOX = 4


@dataclass(frozen=True, slots=True)
class Crop(Operation):
    """Cut a box out: from a point, counted from the top left corner, or from the middle of the image.

    What of the box lies outside the image is left away; when all of it does, the job fails.
    """

    name = "crop"
    usage = "crop,10,20,300,200 or crop,300x200"

    width: int
    height: int
    corner: tuple[int, int] | None = None

    @classmethod
    def parse(cls, *values: str) -> Self:
        """Read a size, or left, top, width and height."""
        if len(values) == 1:
            return cls(*arguments.size(values[0]))
        if len(values) != _BOX:
            raise ValueError(f"{len(values)} values are neither a size nor left, top, width and height")
        left, top = (arguments.whole(value, 0, _MAX_OFFSET) for value in values[:2])
        width, height = (arguments.whole(value, 1, arguments.MAX_SIDE) for value in values[2:])
        return cls(width, height, (left, top))

    def arguments(self) -> tuple[str, ...]:
        """Return `300x200`, or `10`, `20`, `300` and `200`."""
        if self.corner is None:
            return (f"{self.width}x{self.height}",)
        return tuple(map(str, (*self.corner, self.width, self.height)))

    def apply(self, image: Image.Image) -> Image.Image:
        """Cut; a box around the whole image leaves it as it is."""
        box = self._box(image.size)
        return image if box == (0, 0, *image.size) else image.crop(box)

    def output_size(self, size: Size) -> Size:
        """Return the size of what is left; raise `OutsideImage` when nothing is."""
        left, top, right, bottom = self._box(size)
        return right - left, bottom - top

    def _box(self, size: Size) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom edge in pixels."""
        middle = max(0, (size[0] - self.width) // 2), max(0, (size[1] - self.height) // 2)
        left, top = self.corner or middle
        if left >= size[0] or top >= size[1]:
            raise OutsideImage(
                f"The crop begins at {left},{top}, outside the image of {size[0]}x{size[1]} pixels. "
                "Crop nearer to its top left corner."
            )
        return left, top, min(left + self.width, size[0]), min(top + self.height, size[1])
