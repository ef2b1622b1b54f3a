"""How much smaller a JPEG may be decoded when the results will look the same.

libjpeg can leave out half, three quarters or seven eighths of each side while it decodes, which takes 50
to 70% of the time (https://libjpeg-turbo.org, "scaling").
"""

from __future__ import annotations

from collections.abc import Sequence

from services.worker.processors.geometry import Size
from services.worker.processors.operation import Operation

# (divisor, how much the result shrinks at least). Resampling needs some pixels to spare: with these, drawn
# pictures differ from a full decode by less than JPEG itself does, a signal-to-noise ratio above 36 dB.
_STEPS = ((8, 12.0), (4, 6.0), (2, 2.4))


def reduction(size: Size, operations: Sequence[Operation], thumbnail_side: int) -> int:
    """Return 8, 4, 2 or 1: by what to divide both sides of `size` on decoding.

    Only a divisor without remainder keeps the ratio, and with it the size of every result.
    """
    shrink = min(_first_shrink(size, operations), min(size) / thumbnail_side)
    for divisor, needed in _STEPS:
        if shrink >= needed and size[0] % divisor == size[1] % divisor == 0:
            return divisor
    return 1


def _first_shrink(size: Size, operations: Sequence[Operation]) -> float:
    """Return how many pixels the first operation that looks at them melts into one."""
    for operation in operations:
        shrink = operation.shrink(size)
        if shrink is not None:
            return shrink
        size = operation.output_size(size)
    return 1
