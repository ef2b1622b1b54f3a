"""The pictures that image loads send, drawn once a process."""

from __future__ import annotations

from functools import cache

from labkit.load.workloads import PAGE_SIZE, PHOTO_SIZE
from test_images import generate_sample

SMALL_SIZE = (320, 240)


@cache
def picture(name: str) -> bytes:
    """Return the bytes of a picture by its name. Raises KeyError."""
    draw = {
        "A.jpg": lambda: generate_sample.photo(*PHOTO_SIZE, seed=1),
        "B.png": lambda: generate_sample.text(*PAGE_SIZE, seed=1),
        "grid.jpg": lambda: generate_sample.grid(seed=1),
        "small.jpg": lambda: generate_sample.photo(*SMALL_SIZE, seed=1),
    }
    return draw[name]()
