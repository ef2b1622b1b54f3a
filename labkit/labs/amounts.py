"""Writing a value with its unit, as pages and tables of labs show it."""

from __future__ import annotations

import math

from labkit.errors import BadValue

_EXPONENT_FROM = 1000


def amount(value: float | str | None, unit: str) -> str:
    """Write a number with its unit (1 picture, 49 pictures, 0.5), or the words of a choice; - for nothing."""
    if value is None or isinstance(value, str):
        return value or "-"
    number = f"{value:.3g}" if abs(value) < _EXPONENT_FROM else f"{value:.0f}"
    return f"{number} {one(unit) if number == '1' else unit}".strip()


def number(text: str, unit: str) -> float:
    """Read a number as people type it: comma or point, with or without its unit. Raises BadValue."""
    typed = text.strip().replace(",", ".").removesuffix(unit or "\0").strip()
    try:
        value = float(typed)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise BadValue(f"{printable(text)!r} is no number.", "Type a number such as 12 or 0.5.")
    return value


def printable(text: str) -> str:
    """Return the text on one line, without what a terminal cannot show."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def one(unit: str) -> str:
    """Return the singular of a unit: pictures → picture; s (seconds) and the like stay."""
    return unit.removesuffix("s") if len(unit) > 1 else unit
