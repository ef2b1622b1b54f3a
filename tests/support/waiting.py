"""Waiting on conditions: no test sleeps for a time that somebody guessed."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable

POLL_S = 0.01


async def eventually(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Return when `condition()` (or what it promises) is true; fail with its last value after `within_s`."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not so within {within_s:g} s; the last value was {value!r}")
        await asyncio.sleep(POLL_S)


def eventually_so(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Return when `condition()` is true, in a test without a loop."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not so within {within_s:g} s"
        time.sleep(POLL_S)
