from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from services.worker.processors import arguments
from services.worker.processors.formats import TOP_QUALITY, Encoding
from services.worker.processors.geometry import Size
from services.worker.processors.operation import Operation


@dataclass(frozen=True, slots=True)
class Compress(Operation):
    """Write a smaller file: JPEG and WebP with this quality, PNG below quality 95 with 256 colours.

    GIF, BMP and TIFF know no quality: they are written as always. `convert` them for a smaller file.
    """

    name = "compress"
    usage = "compress,60"

    quality: int = 60

    @classmethod
    def parse(cls, quality: str = "60") -> Self:
        """Read a quality from 1 to 95."""
        return cls(arguments.whole(quality, 1, TOP_QUALITY))

    def encoding(self, current: Encoding) -> Encoding:
        """Return the same format in this quality."""
        return Encoding(current.format, self.quality)

    def shrink(self, size: Size) -> None:
        """Return None: no pixel changes before the file is written."""
