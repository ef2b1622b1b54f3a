"""What a worker does to images: pure functions from bytes to bytes, and the grammar that names them.

One file is one operation; `operation.py` shows how small a new one is. The API uses the grammar and the
header check of this package too.
"""

from services.worker.processors.catalogue import catalogue
from services.worker.processors.errors import (
    BadOperation,
    BrokenImage,
    ImageError,
    NotAnImage,
    OutsideImage,
    TooManyPixels,
    TruncatedImage,
    UnwritableImage,
)
from services.worker.processors.grammar import format_operations, parse_operations
from services.worker.processors.header import ImageInfo, inspect
from services.worker.processors.operation import Operation
from services.worker.processors.pipeline import Outcome, Output, process

__all__ = [
    "BadOperation",
    "BrokenImage",
    "ImageError",
    "ImageInfo",
    "NotAnImage",
    "Operation",
    "Outcome",
    "Output",
    "OutsideImage",
    "TooManyPixels",
    "TruncatedImage",
    "UnwritableImage",
    "catalogue",
    "format_operations",
    "inspect",
    "parse_operations",
    "process",
]
