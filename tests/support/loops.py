"""Coroutine tests: each runs in an event loop of its own, and must leave it clean."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

GRACE_S = 2.0


def run(body: Coroutine[Any, Any, None]) -> None:
    """Run a test's body; fail when a task is left over, or when the loop had to report an error."""
    asyncio.run(_watched(body))


async def _watched(body: Coroutine[Any, Any, None]) -> None:
    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(repr(context)))
    await body
    leaked = asyncio.all_tasks() - {asyncio.current_task()}
    if leaked:
        _, leaked = await asyncio.wait(leaked, timeout=GRACE_S)
    assert not leaked, "the test left tasks behind"
    assert not complaints, "the event loop reported errors"
