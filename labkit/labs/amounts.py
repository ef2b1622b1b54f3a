"""Writing a value with its unit, as pages and tables of labs show it."""

from __future__ import annotations

_EXPONENT_FROM = 1000


def amount(value: float | str | None, unit: str) -> str:
    """Write a number with its unit (1 picture, 49 pictures, 0.5), or the words of a choice; - for nothing."""
    if value is None or isinstance(value, str):
        return value or "-"
    number = f"{value:.3g}" if abs(value) < _EXPONENT_FROM else f"{value:.0f}"
    return f"{number} {one(unit) if number == '1' else unit}".strip()


def one(unit: str) -> str:
    """Return the singular of a unit: pictures → picture; s (seconds) and the like stay."""
    return unit.removesuffix("s") if len(unit) > 1 else unit
