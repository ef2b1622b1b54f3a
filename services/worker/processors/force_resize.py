from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from PIL import Image

from services.worker.processors import arguments
from services.worker.processors.geometry import Size, resample
from services.worker.processors.operation import Operation


@dataclass(frozen=True, slots=True)
class ForceResize(Operation):
    """Stretch or squeeze to exactly this size, whatever the ratio."""

    name = "force_resize"
    usage = "force_resize,700x700"

    width: int = 800
    height: int = 600

    @classmethod
    def parse(cls, size: str = "800x600") -> Self:
        """Read a size with both sides."""
        return cls(*arguments.size(size))

    def arguments(self) -> tuple[str, ...]:
        """Return the size."""
        return (f"{self.width}x{self.height}",)

    def apply(self, image: Image.Image) -> Image.Image:
        """Resample each axis on its own."""
        return resample(image, (self.width, self.height))

    def output_size(self, size: Size) -> Size:  # noqa: ARG002 - whatever it was
        """Return the size asked for."""
        return self.width, self.height

    def shrink(self, size: Size) -> float:
        """Return the ratio of the axis that shrinks less."""
        return min(size[0] / self.width, size[1] / self.height)
