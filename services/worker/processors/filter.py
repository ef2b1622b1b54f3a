from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from PIL import Image, ImageFilter

from services.worker.processors import arguments
from services.worker.processors.operation import Operation

_MAX_RADIUS = 50
_KERNELS = {
    "sharpen": ImageFilter.SHARPEN(),
    "contour": ImageFilter.CONTOUR(),
    "emboss": ImageFilter.EMBOSS(),
    "edge": ImageFilter.FIND_EDGES(),
    "smooth": ImageFilter.SMOOTH(),
}


@dataclass(frozen=True, slots=True)
class Filter(Operation):
    """Blur by a radius of pixels, or sharpen, contour, emboss, edge, smooth; transparency stays."""

    name = "filter"
    usage = "filter,blur,2 or filter,sharpen"

    kind: str = "blur"
    radius: float | None = 2

    @classmethod
    def parse(cls, kind: str = "blur", radius: str | None = None) -> Self:
        """Read the kind and, for blur alone, a radius up to 50 pixels."""
        if arguments.choice(kind, ("blur", *_KERNELS)) == "blur":
            return cls(kind, arguments.number(radius or "2", 0, _MAX_RADIUS))
        if radius is not None:
            raise ValueError(f"{radius!r} is too much: only blur takes a radius")
        return cls(kind, None)

    def arguments(self) -> tuple[str, ...]:
        """Return the kind, and the radius of a blur."""
        return (self.kind,) if self.radius is None else (self.kind, str(self.radius))

    def apply(self, image: Image.Image) -> Image.Image:
        """Filter the colours only: the edge of a flat alpha channel would be nothing at all."""
        kernel = _KERNELS.get(self.kind) or ImageFilter.GaussianBlur(self.radius or 0)
        if not image.has_transparency_data:
            return image.filter(kernel)
        filtered = image.convert(image.mode.removesuffix("A")).filter(kernel)
        filtered.putalpha(image.getchannel("A"))
        return filtered
