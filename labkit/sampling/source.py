"""A part of the stack that is asked again and again, and may be slow, silent or gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from labkit.errors import LabError
from services.common.errors import QueueLabError

SILENT_S = 3.0
SHARE_OF_CORE = 0.01
_EARLY = 0.2

ValueT = TypeVar("ValueT")


class Source(Generic[ValueT]):
    """Asks `call` in a thread of its own, at most every `every_s` seconds, so that nobody waits for ever.

    A call that takes much CPU time is made less often: at most 1% of a core goes into it.
    """

    def __init__(self, name: str, call: Callable[[], ValueT], every_s: float) -> None:
        self.name = name
        self.value: ValueT | None = None
        self.problem = ""
        """Why there is no value: one sentence, empty while there is one."""
        self._call = call
        self._every_s = every_s
        self._pending: Future[tuple[ValueT, float]] | None = None
        self._begun = 0.0
        self._due = 0.0

    def hurry(self) -> None:
        """Ask again at the next chance."""
        self._due = 0.0

    def begin(self) -> None:
        """Ask, if it is time and the call before has ended."""
        now = time.monotonic()
        if self._pending is not None or now < self._due:
            return
        self._begun = now
        self._pending = Future()
        threading.Thread(target=self._ask, args=(self._pending,), name=self.name, daemon=True).start()

    def collect(self, deadline: float) -> bool:
        """Wait for the answer until `deadline` (monotonic seconds); tell whether it is a new one."""
        if self._pending is None:
            return False
        if not wait([self._pending], max(0.0, deadline - time.monotonic())).done:
            self._silent()
            return False
        try:
            self.value, cost_s = self._pending.result()
        except (QueueLabError, LabError) as error:
            self.value, cost_s, self.problem = None, 0.0, _sentence(self.name, error)
        else:
            self.problem = ""
        self._pending = None
        self._due = self._begun + max(self._every_s * (1 - _EARLY), cost_s / SHARE_OF_CORE)
        return True

    def _silent(self) -> None:
        if time.monotonic() - self._begun > SILENT_S or self.value is None:
            self.value, self.problem = None, f"{self.name} does not answer"

    def _ask(self, outcome: Future[tuple[ValueT, float]]) -> None:
        try:
            value = self._call()
        except BaseException as error:  # noqa: BLE001  (handed to who waits)
            outcome.set_exception(error)
        else:
            outcome.set_result((value, time.thread_time()))


def _sentence(name: str, error: QueueLabError | LabError) -> str:
    said = error.message if isinstance(error, LabError) else str(error)
    [first, *_] = said.splitlines() or [""]
    return f"{name}: {first}"
