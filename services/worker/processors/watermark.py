from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from PIL import Image, ImageDraw, ImageFont

from services.worker.processors.geometry import Size
from services.worker.processors.operation import Operation

_MAX_LENGTH = 60
_SMALLEST = 5
_INK, _RIM, _NOTHING = (255, 255, 255, 128), (0, 0, 0, 128), (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Watermark(Operation):
    """Write a text at the bottom right, half transparent; a rim keeps it readable on any ground."""

    name = "watermark"
    usage = "watermark,Queue Lab"

    text: str = "Queue Lab"

    @classmethod
    def parse(cls, *words: str) -> Self:
        """Read a line of up to 60 characters, commas included; the font of Pillow has ASCII only."""
        text = ", ".join(words) or "Queue Lab"
        if len(text) > _MAX_LENGTH or not (text.isascii() and text.isprintable()):
            raise ValueError(f"{text[:20]!r} is not a line of at most {_MAX_LENGTH} ASCII characters")
        return cls(text)

    def apply(self, image: Image.Image) -> Image.Image:
        """Blend the text in; an image too small for legible letters stays as it is."""
        stamp = self._stamp(image.size)
        if stamp is None:
            return image
        margin = min(stamp.height // 2, image.width - stamp.width, image.height - stamp.height)
        corner = image.width - stamp.width - margin, image.height - stamp.height - margin
        marked = image.copy()
        if image.has_transparency_data:
            marked.alpha_composite(stamp.convert(image.mode), corner)
        else:
            marked.paste(stamp.convert(image.mode), corner, stamp.getchannel("A"))
        return marked

    def _stamp(self, size: Size) -> Image.Image | None:
        """Draw the text on nothing, a twentieth of the image high and never larger than the image."""
        height = max(12.0, min(size) / 20)
        while height >= _SMALLEST:
            font, rim = ImageFont.load_default(height), max(1, round(height / 16))
            left, top, right, bottom = font.getbbox(self.text, stroke_width=rim)
            wide, high = math.ceil(right - left), math.ceil(bottom - top)
            excess = max(wide / size[0], high / size[1])
            if excess <= 1:
                stamp = Image.new("RGBA", (wide, high), _NOTHING)
                ImageDraw.Draw(stamp).text(
                    (-left, -top), self.text, _INK, font, stroke_width=rim, stroke_fill=_RIM
                )
                return stamp
            height = min(height - 0.5, height / excess)
        return None
