from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Self

from PIL import Image

from services.worker.processors.codec import Picture
from services.worker.processors.formats import Encoding
from services.worker.processors.geometry import Size


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do to an image; `str()` is its canonical text, which parses to an equal record.

    A file in this package with a subclass is an operation, there is no list to add it to; CONTRIBUTING.md
    shows a whole one. Arguments are fields, and `parse` reads them: its signature says how many there are.
    The other methods tell what must be known before the image is decoded; what they answer here is safe for
    any operation.
    """

    name: ClassVar[str]
    usage: ClassVar[str]

    @classmethod
    def parse(cls) -> Self:
        """Read the text arguments, each with a default; raise ValueError saying which is wrong, and why."""
        return cls()

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments in the form that `parse` reads."""
        return tuple(str(getattr(self, field.name)) for field in fields(self))

    def apply(self, image: Image.Image) -> Image.Image:
        """Return the new image; the one given, of mode L, LA, RGB or RGBA, stays as it is."""
        return image

    def output_size(self, size: Size) -> Size:
        """Return the size that `apply` makes of `size`: it is held against the pixel limit first."""
        return size

    def shrink(self, size: Size) -> float | None:  # noqa: ARG002 - the answer here holds for every size
        """Return how many pixels in a row become one, or None when pixels only move.

        Above 1 the image may be decoded smaller than it is stored, so `apply` must depend on its ratio only.
        """
        return 1

    def encoding(self, current: Encoding) -> Encoding:
        """Return how the result is written, given how it would be written without this operation."""
        return current

    def report(self, original: bytes, picture: Picture) -> Mapping[str, object] | None:  # noqa: ARG002 - nothing
        """Return what to tell of the original in a JSON file of the operation's name, or None.

        A job that reports writes its result anew, even when no pixel changed.
        """
        return None

    @property
    def thumbnails(self) -> tuple[int, ...]:
        """Sides of the thumbnails wanted beside the standard one, pixels."""
        return ()

    @property
    def pause_s(self) -> float:
        """Time to wait before `apply`, seconds."""
        return 0

    def __str__(self) -> str:
        return ",".join((self.name, *self.arguments()))
