"""From frames to what a screen shows: trends, rates and the time until the queues are empty."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labkit.control.marks import Mark
from labkit.monitor.advice import Advice, advise
from labkit.monitor.frames import Frame
from labkit.sampling.samples import QueueSample, Sample
from labkit.stack import WORKERS
from services.common.topology import RETRY_DELAYS_S, WORK_QUEUES

TREND_S = 120.0
RATE_S = 10.0
MARKS = 5

_RETRY = tuple(f".retry.{delay}s" for delay in RETRY_DELAYS_S)


@dataclass(frozen=True, slots=True)
class Picture:
    """All that a screen shows.

    trends: by queue, (seconds before now, ready) of the last two minutes, oldest first. backlog: jobs that
    wait, are in hand or wait for a retry; None when nothing is known. completed_per_s: jobs that ended, over
    the last 10 s. drain_s: backlog by completion rate; None when that is unknown. marks: the newest ones.
    """

    sample: Sample
    trends: Mapping[str, Sequence[tuple[float, int]]]
    backlog: int | None
    arriving_per_s: float | None
    completed_per_s: float | None
    drain_s: float | None
    marks: tuple[Mark, ...]
    advice: tuple[Advice, ...]


class History:
    """The last two minutes; `add` gives the picture of now."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()
        self._marks: deque[Mark] = deque(maxlen=MARKS)
        self._ended: deque[tuple[float, int]] = deque()
        self._counts: dict[str, int] = {}
        self._total = 0

    def add(self, frame: Frame) -> Picture:
        """Take in the next frame."""
        sample = frame.sample
        while self._samples and not 0 <= sample.at - self._samples[0].at <= TREND_S:
            self._samples.popleft()
        self._samples.append(sample)
        self._marks.extend(frame.marks)
        completed = self._completed(sample)
        backlog = _backlog(sample.queues) if sample.queues else None
        return Picture(
            sample,
            self._trends(sample),
            backlog,
            _sum(queue.in_per_s for queue in sample.queues if queue.name in WORK_QUEUES),
            completed,
            _drain(backlog, completed),
            tuple(self._marks),
            advise(tuple(self._samples)),
        )

    def _trends(self, now: Sample) -> dict[str, list[tuple[float, int]]]:
        trends: dict[str, list[tuple[float, int]]] = {}
        for sample in self._samples:
            for queue in sample.queues:
                trends.setdefault(queue.name, []).append((now.at - sample.at, queue.ready))
        return trends

    def _completed(self, sample: Sample) -> float | None:
        """Return how fast the workers' own counters grew; a worker that started anew counts from 0."""
        for instance in sample.instances:
            if instance.service in WORKERS and instance.done is not None:
                count = instance.done + (instance.failed or 0)
                before = self._counts.get(instance.name, count)
                self._total += count - before if count >= before else count
                self._counts[instance.name] = count
        while self._ended and not 0 <= sample.at - self._ended[0][0] <= RATE_S:
            self._ended.popleft()
        self._ended.append((sample.at, self._total))
        first_at, first = self._ended[0]
        if not self._counts or sample.at <= first_at:
            return None
        return (self._total - first) / (sample.at - first_at)


def waits_for_retry(queue: str) -> bool:
    """Tell whether a queue is one in which jobs wait for their next attempt."""
    return queue.endswith(_RETRY)


def _backlog(queues: Sequence[QueueSample]) -> int:
    return sum(
        queue.ready + (queue.unacked or 0)
        for queue in queues
        if queue.name in WORK_QUEUES or waits_for_retry(queue.name)
    )


def _drain(backlog: int | None, completed_per_s: float | None) -> float | None:
    if backlog == 0:
        return 0.0
    return backlog / completed_per_s if backlog and completed_per_s else None


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
