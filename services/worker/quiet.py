"""Keep libtiff from writing to standard error: damaged files make it print a line for each bad row.

What is wrong with a file reaches us as an exception of Pillow all the same. Only the copy of libtiff that
Pillow's wheels bring along is silenced; another one talks on, and a log has lines that are not JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
from pathlib import Path

import PIL


def silence_libtiff() -> bool:
    """Take libtiff's error and warning printers away; return whether it was found."""
    packages = Path(PIL.__file__).parents[1]
    # Where wheels for Linux and for macOS keep their libraries.
    found = [*packages.glob("pillow.libs/libtiff*"), *packages.glob("PIL/.dylibs/libtiff*")]
    with contextlib.suppress(OSError, AttributeError):
        for path in found:
            libtiff = ctypes.CDLL(str(path))
            libtiff.TIFFSetErrorHandler(None)
            libtiff.TIFFSetWarningHandler(None)
        return bool(found)
    return False
