"""Blocking calls to servers that may hang."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

ResultT = TypeVar("ResultT")


async def detached(call: Callable[[], ResultT]) -> ResultT:
    """Run a blocking call in a thread of its own that does not keep the program from ending.

    A thread of `asyncio.to_thread` does: a program that is told to end would wait for a store that hangs.
    """
    outcome: Future[ResultT] = Future()
    outcome.set_running_or_notify_cancel()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001  (handed to who waits)
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return await asyncio.wrap_future(outcome)
