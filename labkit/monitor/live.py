"""Frames of a running stack, through everything that may happen to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from labkit.access import Access
from labkit.control.marks import FILE, Mark, marks_since
from labkit.errors import LabError
from labkit.monitor.frames import Frame
from labkit.runtime.base import Runtime
from labkit.sampling.sampler import Sampler
from labkit.sampling.samples import Sample

LOOK_S = 5.0
"""How often the addresses and passwords of the stack are compared."""
BEFORE_S = 120.0
"""Marks that are older when they are found are not shown."""


class LiveFeed:
    """Samples a stack; connects anew when the stack comes back with other addresses or passwords."""

    def __init__(self, runtime: Runtime, open_access: Callable[[Mapping[str, str]], Access]) -> None:
        self._runtime = runtime
        self._open_access = open_access
        self._environment: Mapping[str, str] = {}
        self._sampler: Sampler | None = None
        self._stack = ExitStack()
        self._look_at = 0.0
        self._marks_changed = 0.0
        self._seen: set[Mark] = set()

    def __enter__(self) -> Self:
        """Connect."""
        self._connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""
        self._stack.close()

    def settle(self, within_s: float) -> None:
        """Wait until every running worker has been heard, or the time is over."""
        if self._sampler:
            self._sampler.settle(within_s)

    def next(self) -> Frame:
        """Take a sample, with the marks since the one before. Answers within seconds, whatever hangs."""
        try:
            self._connect()
        except LabError as error:
            return Frame(Sample(time.time(), unreachable=(error.message.rstrip("."),)))
        assert self._sampler is not None  # noqa: S101 - connected
        sample = self._sampler.take()
        return Frame(sample, self._new_marks())

    def _new_marks(self) -> tuple[Mark, ...]:
        """Return the marks that are new; some are written well after the moment that they tell of."""
        project = self._runtime.project
        try:
            changed = (project.state_dir / FILE).stat().st_mtime
        except OSError:
            return ()
        if changed == self._marks_changed:
            return ()
        self._marks_changed = changed
        recent = marks_since(project, time.time() - BEFORE_S)
        new = tuple(mark for mark in recent if mark not in self._seen)
        self._seen = set(recent)
        return new

    def _connect(self) -> None:
        if self._sampler is not None and time.monotonic() < self._look_at:
            return
        environment = self._runtime.environment()
        self._look_at = time.monotonic() + LOOK_S
        if self._sampler is not None and environment == self._environment:
            return
        self._stack.close()
        self._sampler = None
        self._environment = environment
        self._sampler = self._stack.enter_context(Sampler(self._runtime, self._open_access(environment)))
