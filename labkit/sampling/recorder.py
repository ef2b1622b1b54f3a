"""Writes what the sampler sees into a run directory, once a second."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Protocol, Self

from labkit.errors import LabError
from labkit.load.records import Record
from labkit.runs.files import SAMPLE_COLUMNS, SAMPLES
from labkit.runs.write import Run
from labkit.sampling.samples import InstanceSample, QueueSample, Sample
from services.common.errors import QueueLabError

PERIOD_S = 1.0
_MB = 1e6


class Takes(Protocol):
    """What the recorder needs of a sampler."""

    def take(self) -> Sample:
        """Look at the stack now."""


class Recorder:
    """Takes a sample a second while its block runs, and appends it to the run's samples.csv.

    With each sample it also gathers the marks of the stack, and writes the jobs as they stand (`records`), so
    that a run whose program is killed still has both. Enter the sampler first, and leave it last.
    """

    def __init__(
        self,
        sampler: Takes,
        run: Run,
        records: Callable[[], Iterable[Record]] = tuple,
        period_s: float = PERIOD_S,
    ) -> None:
        self._sampler = sampler
        self._run = run
        self._records = records
        self._period_s = period_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._record, name="recorder", daemon=True)
        self.missed = 0
        """Samples that could not be taken."""

    def __enter__(self) -> Self:
        """Begin to record."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take a last sample and end."""
        self._end.set()
        self._thread.join()

    def _record(self) -> None:
        with (self._run.path / SAMPLES).open("a", newline="", encoding="utf-8", buffering=1) as file:
            writer = csv.writer(file)
            if not file.tell():
                writer.writerow(SAMPLE_COLUMNS)
            due = time.monotonic()
            while True:
                last = self._end.is_set()
                writer.writerows(self._rows())
                file.flush()
                self._run.gather_marks()
                self._run.progress(tuple(self._records()))
                if last:
                    return
                # A slow sample delays the next one, but not all that follow.
                due = max(due + self._period_s, time.monotonic())
                self._end.wait(due - time.monotonic())

    def _rows(self) -> Iterator[list[object]]:
        try:
            sample = self._sampler.take()
        except (LabError, QueueLabError, OSError):  # a stack that goes down takes its samples along
            self.missed += 1
            return
        yield from rows(sample)


def rows(sample: Sample) -> Iterator[list[object]]:
    """Return the lines of samples.csv for a sample."""
    at = round(sample.at, 3)
    for queue in sample.queues:
        yield _queue(at, queue)
    for instance in sample.instances:
        yield _instance(at, instance)


def _queue(at: float, queue: QueueSample) -> list[object]:
    rates = (queue.in_per_s, queue.out_per_s, queue.oldest_s)
    numbers = [queue.ready, queue.unacked, queue.consumers, *map(_short, rates)]
    return [at, "queue", queue.name, *numbers, *[None] * 6]


def _instance(at: float, instance: InstanceSample) -> list[object]:
    memory = None if instance.memory_bytes is None else instance.memory_bytes / _MB
    use = (_short(instance.cpu_percent), _short(memory))
    counts = (instance.done, instance.failed, instance.restarts)
    return [at, "instance", instance.name, *[None] * 6, instance.state, *use, *counts]


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
