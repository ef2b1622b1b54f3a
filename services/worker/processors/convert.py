from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from services.worker.processors import arguments
from services.worker.processors.formats import FORMATS, TOP_QUALITY, Encoding
from services.worker.processors.geometry import Size
from services.worker.processors.operation import Operation


@dataclass(frozen=True, slots=True)
class Convert(Operation):
    """Write the result in another format; JPEG and WebP with quality 95 unless `compress` chose one."""

    name = "convert"
    usage = "convert,png"

    to: str

    @classmethod
    def parse(cls, to: str = "") -> Self:
        """Read the name of a format, in small or capital letters."""
        return cls(arguments.image_format(to, tuple(map(str.lower, FORMATS))))

    def encoding(self, current: Encoding) -> Encoding:
        """Return the format asked for, in the quality that was chosen before; or what it is already."""
        if self.to.upper() == current.format:
            return current
        return Encoding(self.to.upper(), current.quality or TOP_QUALITY)

    def shrink(self, size: Size) -> None:
        """Return None: no pixel changes."""
