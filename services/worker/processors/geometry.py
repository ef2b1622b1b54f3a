"""Sizes in pixels: how one follows from another, and the one way to resample."""

from __future__ import annotations

from fractions import Fraction

from PIL import Image

Size = tuple[int, int]
"""Width and height in pixels."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge in pixels."""


def fit(size: Size, width: int | None, height: int | None) -> Size:
    """Return the largest size of the same ratio inside `width` and `height` that does not enlarge.

    Fractions are exact: a size and its half fit into the same size, which a smaller decode relies on.
    """
    limits = [Fraction(limit, side) for limit, side in zip((width, height), size, strict=True) if limit]
    scale = min(Fraction(1), *limits)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def cover(size: Size, target: Size) -> Box:
    """Return the largest centred box of the ratio of `target` inside `size`."""
    scale = min(size[0] / target[0], size[1] / target[1])
    left, top = (max(0.0, (side - want * scale) / 2) for side, want in zip(size, target, strict=True))
    return left, top, size[0] - left, size[1] - top


def resample(image: Image.Image, size: Size, box: Box | None = None) -> Image.Image:
    """Return `box` of the image, or all of it, at `size`; the image itself when nothing would change."""
    if size == image.size and box in (None, (0, 0, *size)):
        return image
    # The gap lets Pillow average whole blocks first when it shrinks more than four times.
    return image.resize(size, Image.Resampling.BICUBIC, box, reducing_gap=2.0)
