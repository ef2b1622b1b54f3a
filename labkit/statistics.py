"""The few statistics that the kit reports; anything more belongs into a notebook."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], q: float) -> float:
    """Return the nearest-rank percentile, `q` from 0 to 1: the smallest value that q of all do not exceed.

    Source: nearest-rank method, https://en.wikipedia.org/wiki/Percentile. Raise ValueError without values.
    """
    if not values:
        raise ValueError("a percentile needs at least one value")
    ranked = sorted(values)
    # Rounded first: 0.07 * 100 is a little more than 7, and would be the eighth.
    rank = math.ceil(round(q * len(ranked), 9))
    return ranked[max(0, rank - 1)]


def samples_needed(q: float) -> int:
    """Return how many samples the percentile `q` needs to mean something: ten beyond it."""
    return math.ceil(round(10 / (1 - q), 6))
