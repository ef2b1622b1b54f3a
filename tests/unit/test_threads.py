"""Blocking calls that do not keep a program from ending."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from labkit.project import REPOSITORY
from services.common.errors import StorageUnavailable
from services.common.threads import detached


async def test_the_outcome_comes_back() -> None:
    """Results and errors are those of the call, which ran elsewhere."""
    assert await detached(threading.get_ident) != threading.get_ident()

    def fail() -> None:
        raise StorageUnavailable("away")

    with pytest.raises(StorageUnavailable, match="away"):
        await detached(fail)


async def test_who_gives_up_is_no_trouble() -> None:
    """A call that ends after its caller left is ignored."""
    go, ended = threading.Event(), threading.Event()

    def call() -> None:
        go.wait(10)
        ended.set()

    waiting = asyncio.create_task(detached(call))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go.set()
    assert await asyncio.to_thread(ended.wait, 10)


def test_a_program_ends_while_a_call_hangs() -> None:
    """The interpreter does not wait for a call that nobody waits for."""
    program = (
        "import asyncio, threading\n"
        "from services.common.threads import detached\n"
        "async def main():\n"
        "    asyncio.create_task(detached(lambda: threading.Event().wait(60)))\n"
        "    await asyncio.sleep(0.05)\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        timeout=30,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ended.stdout, ended.stderr) == ("", "")
