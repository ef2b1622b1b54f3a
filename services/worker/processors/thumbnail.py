from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from services.worker.processors import arguments
from services.worker.processors.geometry import Size
from services.worker.processors.operation import Operation

_MAX_COUNT = 5
_MAX_SIDE = 1024


@dataclass(frozen=True, slots=True)
class Thumbnail(Operation):
    """Yield square thumbnails of these sides too, beside the one of 128 that every image gets."""

    name = "thumbnail"
    usage = "thumbnail,64,256"

    sides: tuple[int, ...] = (128,)

    @classmethod
    def parse(cls, *sides: str) -> Self:
        """Read up to 5 sides of 16 to 1024 pixels."""
        if len(sides) > _MAX_COUNT:
            raise ValueError(f"{len(sides)} thumbnails are more than {_MAX_COUNT}")
        return cls(tuple(arguments.whole(side, 16, _MAX_SIDE) for side in sides) or (128,))

    def arguments(self) -> tuple[str, ...]:
        """Return the sides."""
        return tuple(map(str, self.sides))

    def shrink(self, size: Size) -> None:
        """Return None: the result does not change."""

    @property
    def thumbnails(self) -> tuple[int, ...]:
        """Sides asked for, pixels."""
        return self.sides
