from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from PIL import Image

from services.worker.processors import arguments
from services.worker.processors.formats import Encoding
from services.worker.processors.geometry import Size, fit, resample
from services.worker.processors.operation import Operation

_WIDTHS = {"mobile": 640, "tablet": 1024, "desktop": 1920}
_FORMATS = ("webp", "jpeg", "png")
_QUALITY = 75


@dataclass(frozen=True, slots=True)
class Optimize(Operation):
    """Make ready for a web page: at most 640, 1024 or 1920 pixels wide, quality 75, WebP by default."""

    name = "optimize"
    usage = "optimize,mobile or optimize,tablet,jpeg"

    device: str = "mobile"
    to: str = "webp"

    @classmethod
    def parse(cls, device: str = "mobile", to: str = "webp") -> Self:
        """Read `mobile`, `tablet` or `desktop`, and `webp`, `jpeg` or `png`."""
        return cls(arguments.choice(device, _WIDTHS), arguments.image_format(to, _FORMATS))

    def apply(self, image: Image.Image) -> Image.Image:
        """Resample to the width, and never enlarge."""
        return resample(image, self.output_size(image.size))

    def output_size(self, size: Size) -> Size:
        """Return what fits into the width."""
        return fit(size, _WIDTHS[self.device], None)

    def shrink(self, size: Size) -> float:
        """Return the ratio of the sides."""
        return max(old / new for old, new in zip(size, self.output_size(size), strict=True))

    def encoding(self, current: Encoding) -> Encoding:  # noqa: ARG002 - whatever it was
        """Return the format asked for."""
        return Encoding(self.to.upper(), _QUALITY)
