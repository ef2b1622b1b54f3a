"""From text to operations and back: `rotate,90;resize,800x600`.

`;` or `|` separates operations. Inside such a part a known name starts the next operation, and any other
token is an argument of the current one, so `resize,watermark` are two operations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from inspect import signature

from services.worker.processors.catalogue import catalogue
from services.worker.processors.errors import BadOperation
from services.worker.processors.operation import Operation

DEFAULT = "resize"
MAX_LENGTH = 1000
MAX_TOKEN = 80
MAX_OPERATIONS = 10
MAX_PAUSE_S = 60


def parse_operations(text: str | None) -> tuple[Operation, ...]:
    """Read operations in their order; nothing at all means `resize`.

    Raises `BadOperation` naming what cannot be read and listing what is known, or what is too much.
    """
    if text and len(text) > MAX_LENGTH:
        raise BadOperation(f"{len(text)} characters are too many for operations: {MAX_LENGTH} is the limit.")
    calls = _calls(text or "") or [[DEFAULT]]
    if len(calls) > MAX_OPERATIONS:
        raise BadOperation(
            f"{len(calls)} operations are too many for one job: {MAX_OPERATIONS} is the limit."
        )
    operations = tuple(_operation(name, args) for name, *args in calls)
    pause_s = sum(operation.pause_s for operation in operations)
    if pause_s > MAX_PAUSE_S:
        raise BadOperation(f"{pause_s:g} s of sleep are too many for one job: {MAX_PAUSE_S} s is the limit.")
    return operations


def format_operations(operations: Iterable[Operation]) -> str:
    """Return the canonical text, which parses to equal operations."""
    return ";".join(map(str, operations))


def _calls(text: str) -> list[list[str]]:
    """Split into one list for each operation: its name, then its arguments."""
    calls: list[list[str]] = []
    for part in re.split(r"[;|]", text):
        tokens = [token.strip() for token in part.split(",") if token.strip()]
        for position, token in enumerate(tokens):
            if len(token) > MAX_TOKEN:
                raise BadOperation(f"{token[:20]!r}… is too long: {MAX_TOKEN} characters are the limit.")
            if position == 0 or token in catalogue():
                calls.append([token])
            else:
                calls[-1].append(token)
    return calls


def _operation(name: str, args: list[str]) -> Operation:
    known = f"Known operations: {', '.join(catalogue())}."
    kind = catalogue().get(name)
    if kind is None:
        raise BadOperation(f"Unknown operation {name!r}. {known}")
    try:
        signature(kind.parse).bind(*args)
    except TypeError as error:
        given = ",".join((name, *args))[:200]
        raise BadOperation(f"{given}: {error}. Write {kind.usage}. {known}") from error
    try:
        return kind.parse(*args)
    except ValueError as error:
        raise BadOperation(f"{name}: {error}. Write {kind.usage}. {known}") from error
