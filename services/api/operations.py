"""The operations of a request as canonical text, and the catalogue of those there are."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from services.api.errors import ApiError
from services.worker.processors import (
    BadOperation,
    Operation,
    catalogue,
    format_operations,
    grammar,
    parse_operations,
)

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


@functools.cache
def catalogue_view() -> dict[str, Any]:
    """Return what can be asked for, in the words of the operations themselves."""
    return {
        "operations": [_operation_view(kind) for kind in catalogue().values()],
        "default": grammar.DEFAULT,
        "max_operations": grammar.MAX_OPERATIONS,
    }


def _operation_view(kind: type[Operation]) -> dict[str, Any]:
    [summary, *_] = inspect.cleandoc(kind.__doc__ or "").splitlines()
    return {
        "name": kind.name,
        "summary": summary,
        "examples": kind.usage.split(" or "),
        "arguments": [_argument_view(each) for each in inspect.signature(kind.parse).parameters.values()],
    }


def _argument_view(argument: inspect.Parameter) -> dict[str, Any]:
    """Return an argument; `parse` has "" where a value must be given, and None where none may be."""
    default = argument.default
    return {
        "name": argument.name,
        "default": default if isinstance(default, str) and default else None,
        "required": default == "",
        "many": argument.kind is inspect.Parameter.VAR_POSITIONAL,
    }
