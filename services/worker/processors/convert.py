from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from services.worker.processors import arguments
from services.worker.processors.formats import FORMATS, Encoding
from services.worker.processors.geometry import Size
from services.worker.processors.operation import Operation

_QUALITY = 95
_SHORT = {"jpg": "jpeg", "tif": "tiff"}


@dataclass(frozen=True, slots=True)
class Convert(Operation):
    """Write the result in another format; JPEG and WebP with quality 95."""

    name = "convert"
    usage = "convert,png"

    to: str

    @classmethod
    def parse(cls, to: str = "") -> Self:
        """Read the name of a format, in small or capital letters."""
        name = to.lower()
        return cls(arguments.choice(_SHORT.get(name, name), tuple(map(str.lower, FORMATS))))

    def encoding(self, current: Encoding) -> Encoding:
        """Return the format asked for, or what it is already."""
        return current if self.to.upper() == current.format else Encoding(self.to.upper(), _QUALITY)

    def shrink(self, size: Size) -> None:
        """Return None: no pixel changes."""
