"""The operations of a request as canonical text."""

from __future__ import annotations

import functools

from services.api.errors import ApiError
from services.worker.processors import BadOperation, format_operations, parse_operations

MAX_OPERATIONS = 1000


def canonical(text: str, max_processing_time_s: float) -> str:
    """Return operations as canonical text; raise `BadOperation`, or an `ApiError` for too long a sleep."""
    formatted, pause_s = _parsed(text)
    if pause_s > max_processing_time_s:
        raise ApiError(
            "processing_time_too_long",
            f"these operations sleep for {pause_s:g} s; LAB_MAX_PROCESSING_TIME_S allows "
            f"{max_processing_time_s:g} s",
        )
    return formatted


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[str, float]:
    operations = parse_operations(text)
    formatted = format_operations(operations)
    if len(formatted) > MAX_OPERATIONS:
        raise BadOperation(f"These operations are longer than {MAX_OPERATIONS} characters. Send fewer.")
    return formatted, sum(operation.pause_s for operation in operations)
