"""Takes samples of a running stack: cheap enough for one a second, and never held up by a part that hangs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from labkit.access import Access
from labkit.control.chaos import sentences
from labkit.runtime.base import Instance, Runtime, State, Stats
from labkit.sampling.management import WITHOUT, Management, QueueCounts
from labkit.sampling.pulse import Pulse, listening
from labkit.sampling.rates import Rates
from labkit.sampling.samples import InstanceSample, QueueSample, Sample
from labkit.sampling.source import Source
from labkit.sampling.stages import MOST_JOBS, LastMinute
from labkit.stack import WORKERS, layout_in
from services.common.control import read_faults
from services.common.errors import BrokerUnavailable
from services.common.messages import Heartbeat
from services.common.topology import (
    DEAD_LETTER,
    NOTIFIER_EVENTS,
    RETRY_DELAYS_S,
    TRACKER_EVENTS,
    WORK_QUEUES,
    queue_for,
    retry_queue,
)

if TYPE_CHECKING:
    from services.common.jobs import Ended, Waiting

QUEUES = (*WORK_QUEUES, DEAD_LETTER, TRACKER_EVENTS, NOTIFIER_EVENTS)
"""Always in a sample; retry queues are when something waits in them."""
RETRY_QUEUES = tuple(retry_queue(name, delay) for name in WORK_QUEUES for delay in RETRY_DELAYS_S)

ANSWER_S = 0.7
FIRST_ANSWER_S = 4.0
_QUICK_S, _SLOW_S, _FAULTS_S = 1.0, 3.0, 10.0
_GONE = (State.STOPPED, State.EXITED)


@dataclass(frozen=True, slots=True)
class _Queues:
    at: float
    counts: Mapping[str, QueueCounts]
    note: str


@dataclass(frozen=True, slots=True)
class _Table:
    waiting: Sequence[Waiting]
    ended: Sequence[Ended]
    dead_by_reason: Mapping[str, int]


class Sampler:
    """Samples one stack for as long as its `with` block runs.

    A part that does not answer costs its own numbers only, and is named in `Sample.unreachable`.
    """

    def __init__(self, runtime: Runtime, access: Access) -> None:
        environment = runtime.environment()
        self._runtime = runtime
        self._access = access
        self._layout = layout_in(environment)
        self._management = Management.of(runtime, environment)
        self._rates = Rates()
        self._minute = LastMinute()
        self._seq = 0
        self._stack = ExitStack()
        self._answer_s = FIRST_ANSWER_S

    def __enter__(self) -> Self:
        """Connect; parts that do not answer now may do so later."""
        with ExitStack() as stack:
            self._pulse: Pulse = stack.enter_context(listening(self._access.broker))
            self._jobs = self._access.jobs()
            stack.callback(self._jobs.close)
            if self._management:
                stack.callback(self._management.close)
            self._store = self._access.store()
            self._stack = stack.pop_all()
        self._instances = Source("instances", self._runtime.instances, _QUICK_S)
        self._stats = Source("CPU and memory", self._runtime.stats, _SLOW_S)
        self._queues = Source("queues", self._read_queues, _QUICK_S)
        self._table = Source("job table", self._read_table, _QUICK_S)
        self._faults = Source("object store", lambda: sentences(read_faults(self._store)), _FAULTS_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""
        self._stack.close()

    @property
    def _sources(self) -> tuple[Source[Any], ...]:
        return (self._instances, self._stats, self._queues, self._table, self._faults)

    def settle(self, within_s: float) -> None:
        """Wait until every running worker has been heard, or the time is over."""
        running = [entry for entry in self._runtime.instances() if entry.state == State.RUNNING]
        self._pulse.wait_for((entry.name for entry in running if entry.service in WORKERS), within_s)

    def take(self) -> Sample:
        """Take a sample. Answers within a second, whatever hangs; the first time may take four."""
        if self._pulse.faults_changed():
            self._faults.hurry()
        for source in self._sources:
            source.begin()
        deadline = time.monotonic() + self._answer_s
        self._answer_s = ANSWER_S
        new = {source.name for source in self._sources if source.collect(deadline)}
        at = time.time()
        if self._table.name in new and self._table.value:
            self._minute.add(self._table.value.ended)
        return Sample(
            at=at,
            queues=self._queue_samples(at),
            instances=self._instance_samples(),
            dead_by_reason=self._table.value.dead_by_reason if self._table.value else {},
            faults=self._faults.value or (),
            unreachable=self._unreachable(),
            stages=self._minute.stages(at),
        )

    def _read_queues(self) -> _Queues:
        note = f"{WITHOUT}: this broker has no management API that we could ask"
        if self._management:
            try:
                return _Queues(time.monotonic(), self._management.queues(), "")
            except BrokerUnavailable as error:
                note = f"{WITHOUT}: {error}"
        return _Queues(time.monotonic(), self._pulse.depths(QUEUES), note)

    def _read_table(self) -> _Table:
        ended = self._jobs.completed_since(self._seq, MOST_JOBS)
        self._seq = max((job.seq for job in ended), default=self._seq)
        return _Table(self._jobs.waiting(), ended, self._jobs.failed_by_reason())

    def _queue_samples(self, at: float) -> tuple[QueueSample, ...]:
        queues = self._queues.value
        if queues is None:
            return ()
        ages = self._ages(at)
        names = (*QUEUES, *(name for name in RETRY_QUEUES if _ready(queues.counts, name)))
        return tuple(
            self._queue_sample(queues.counts[name], queues.at, ages.get(name))
            for name in names
            if name in queues.counts
        )

    def _queue_sample(self, counts: QueueCounts, read_at: float, age_s: float | None) -> QueueSample:
        return QueueSample(
            counts.name,
            counts.ready,
            counts.unacked,
            counts.consumers,
            self._rates.rate((counts.name, "in"), read_at, counts.published),
            self._rates.rate((counts.name, "out"), read_at, counts.acked),
            age_s if counts.ready else None,
        )

    def _ages(self, at: float) -> dict[str, float]:
        """Return how long the oldest job of each queue has waited, seconds."""
        found: dict[str, float] = {}
        for entry in self._table.value.waiting if self._table.value else ():
            name = queue_for(entry.kind, entry.operations, self._layout)
            found[name] = max(at - entry.since, found.get(name, 0.0))
        return found

    def _instance_samples(self) -> tuple[InstanceSample, ...]:
        stats = {entry.instance: entry for entry in self._stats.value or ()}
        beats = self._pulse.beats()
        return tuple(
            _instance_sample(entry, stats.get(entry.name), beats.get(entry.name))
            for entry in self._instances.value or ()
        )

    def _unreachable(self) -> tuple[str, ...]:
        problems = [source.problem for source in self._sources if source.problem]
        if self._instances.value == []:
            problems.insert(0, "the stack is not up")
        if self._queues.value and self._queues.value.note:
            problems.append(self._queues.value.note)
        return tuple(problems)


def _ready(counts: Mapping[str, QueueCounts], name: str) -> int:
    return counts[name].ready if name in counts else 0


def _instance_sample(entry: Instance, stats: Stats | None, beat: Heartbeat | None) -> InstanceSample:
    alive = entry.state not in _GONE
    # A process that has died is heard for a while.
    fresh = beat and entry.started_at and beat.at >= entry.started_at.timestamp()
    heard = beat if alive and fresh else None
    return InstanceSample(
        entry.name,
        entry.service,
        entry.state.value,
        entry.restarts,
        cpu_percent=stats.cpu_percent if stats and alive else None,
        memory_bytes=stats.rss_bytes if stats and alive else None,
        job_ids=heard.job_ids if heard else (),
        stage=heard.stage if heard else "",
        done=heard.done if heard else None,
        failed=heard.failed if heard else None,
        retried=heard.retried if heard else None,
    )
