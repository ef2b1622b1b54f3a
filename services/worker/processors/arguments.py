"""Readers for the arguments of operations: each raises ValueError naming the text that it cannot read."""

from __future__ import annotations

import re
from collections.abc import Collection

_SHORT = {"jpg": "jpeg", "tif": "tiff"}

MAX_SIDE = 7_000
"""Longest side that can be asked for, pixels: a square of it stays below the default pixel limit."""


def number(text: str, low: float, high: float) -> float:
    """Read a decimal number from `low` to `high`; whole ones are ints, so that 90.0 is written 90."""
    value = float(text) if re.fullmatch(r"[+-]?\d{1,6}(\.\d{1,3})?", text, re.ASCII) else None
    if value is None or not low <= value <= high:
        raise ValueError(f"{text!r} is not a number from {low} to {high}")
    return int(value) if value.is_integer() else value


def whole(text: str, low: int, high: int) -> int:
    """Read a whole number from `low` to `high`."""
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or not low <= int(text) <= high:
        raise ValueError(f"{text!r} is not a whole number from {low} to {high}")
    return int(text)


def sides(text: str) -> tuple[int | None, int | None]:
    """Read `800x600`, `800x`, `x600` or `800`: width and height in pixels, None where it is left open."""
    match = re.fullmatch(r"(?=.*\d)(\d{1,6})?(?:[xX](\d{1,6})?)?", text, re.ASCII)
    width, height = (int(side) if side else None for side in match.groups()) if match else (0, 0)
    if not all(side is None or 1 <= side <= MAX_SIDE for side in (width, height)):
        raise ValueError(f"{text!r} is not a size like 800x600, 800 or x600 with sides from 1 to {MAX_SIDE}")
    return width, height


def size(text: str) -> tuple[int, int]:
    """Read `800x600`: width and height in pixels."""
    width, height = sides(text)
    if width is None or height is None:
        raise ValueError(f"{text!r} leaves one side open; give both, like 800x600")
    return width, height


def choice(text: str, choices: Collection[str]) -> str:
    """Read one of `choices`."""
    if text not in choices:
        raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
    return text


def image_format(text: str, choices: Collection[str]) -> str:
    """Read one of `choices`, the names of image formats, in small or capital letters; jpg is jpeg."""
    name = text.lower()
    return choice(_SHORT.get(name, name), choices)
