"""What a run amounts to: rates, latencies, where the time went, and whether the load was as planned.

`docs/measurement.md` says what each figure means, by which clock, and where its formula is from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from labkit.analysis.statistics import Spread, spread
from labkit.analysis.stretches import Burst, bursts
from labkit.load.arrivals import LATE_S
from labkit.load.records import Record
from services.common.messages import Stage

__all__ = ["Spread", "Summary", "summarize"]

STAGES: Mapping[str, tuple[Stage, Stage]] = {
    "publish": ("accepted", "published"),
    "queue_wait": ("published", "started"),
    "fetch": ("started", "fetched"),
    "process": ("fetched", "processed"),
    "store": ("processed", "stored"),
    "finish": ("stored", "finished"),
    "notify": ("finished", "notified"),
}
"""Stages of a job, one after the other, by the stage clock of its last attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How well the load generator kept to its plan: numbers of jobs.

    held: of the late ones, those that waited because too many requests were open.
    lateness: from the intended to the actual send.
    """

    planned: int = 0
    sent: int = 0
    late: int = 0
    held: int = 0
    dropped: int = 0
    late_after_ms: float = 1000 * LATE_S
    lateness: Spread = field(default_factory=Spread)

    @property
    def kept_up(self) -> bool:
        """Whether the load was as planned: nothing dropped, and at most one send in a hundred late."""
        return self.dropped == 0 and self.late <= 0.01 * self.sent


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """The jobs that came through one work queue."""

    jobs: int
    completed: int
    failed: int
    latency: Spread
    queue_wait: Spread
    service: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFigures:
    """What one worker did: jobs it ended, its share of all (0 to 1), seconds it worked on them."""

    jobs: int
    share: float
    busy_s: float
    service: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run's figures. Latencies and stages are those of completed jobs."""

    jobs: int
    completed: int
    duration_s: float
    """From the first intended send to the last end."""
    submitted_per_s: float
    """Accepted jobs, over the time from the first intended send to the last answer."""
    completed_per_s: float
    """Jobs that came to an end, good or bad, over the duration."""
    good_per_s: float
    """Jobs completed whose result was not found wrong, over the duration."""
    peak_backlog: int
    """Most jobs that were sent and accepted, and not known to have ended, at one moment."""
    latency: Spread
    accept: Spread
    queue_wait: Spread
    service: Spread
    stages: Mapping[str, Spread]
    queues: Mapping[str, QueueFigures]
    workers: Mapping[str, WorkerFigures]
    bursts: tuple[Burst, ...]
    sending: Sending

    @property
    def throughput_per_s(self) -> float:
        """The rate that counts."""
        return self.good_per_s


def summarize(records: Sequence[Record], late_after_s: float = LATE_S) -> Summary:
    """Return the figures of a run; a send later than `late_after_s` seconds counts as late.

    Latency counts from the intended send time to the moment its end was seen here, all by this machine's
    clock; accept is the answer's time, from the actual send; stages come from the stage clock.
    """
    sent = [record for record in records if record.sent_at is not None]
    ended = [record for record in sent if record.ended_at is not None]
    done = [record for record in sent if record.outcome == "completed"]
    good = sum(record.outcome == "completed" and record.verified is not False for record in ended)
    begun = min((record.intended_at for record in sent), default=0.0)
    duration = _since(begun, (record.ended_at for record in ended))
    sending_s = _since(begun, (record.answered_at for record in sent))
    found = bursts(sent)
    return Summary(
        jobs=len(records),
        completed=len(done),
        duration_s=duration,
        submitted_per_s=_rate(sum(record.accepted for record in sent), sending_s),
        completed_per_s=_rate(len(ended), duration),
        good_per_s=_rate(good, duration),
        peak_backlog=max((burst.peak_backlog for burst in found), default=0),
        latency=_over(done, latency),
        accept=_over(done, lambda record: _between(record.sent_at, record.answered_at)),
        queue_wait=_over(done, lambda record: stage(record, "published", "started")),
        service=_over(done, service),
        stages=_stages(done),
        queues=_queues(sent),
        workers=_workers(ended),
        bursts=found if _repeated(records) else (),
        sending=_sending(records, late_after_s),
    )


def latency(record: Record) -> float | None:
    """Return the seconds from the intended send to the news of its end."""
    return _between(record.intended_at, record.ended_at)


def service(record: Record) -> float | None:
    """Return the seconds that a worker was busy with it, by the worker's clock."""
    return stage(record, "started", "finished")


def stage(record: Record, begin: Stage, end: Stage) -> float | None:
    """Return the seconds between two moments of the stage clock."""
    return _between(record.clock.get(begin), record.clock.get(end))


def _stages(done: Sequence[Record]) -> dict[str, Spread]:
    found = {}
    for name, (begin, end) in STAGES.items():
        seconds = [stage(record, begin, end) for record in done]
        if name == "process":
            # A text job has nothing to fetch or store: all of its service is processing.
            seconds += [service(record) for record in done if record.planned.kind == "text"]
        found[name] = spread([one for one in seconds if one is not None])
    return found


def _sending(records: Sequence[Record], late_after_s: float) -> Sending:
    late = [record for record in records if (record.late_by_s or 0.0) > late_after_s]
    return Sending(
        planned=len(records),
        sent=sum(record.sent_at is not None for record in records),
        late=len(late),
        held=sum(record.held for record in late),
        dropped=sum(record.dropped for record in records),
        late_after_ms=round(1000 * late_after_s, 3),
        lateness=_over(records, lambda record: record.late_by_s),
    )


def _queues(records: Sequence[Record]) -> dict[str, QueueFigures]:
    names = sorted({record.queue for record in records if record.queue})
    return {name: _queue([record for record in records if record.queue == name]) for name in names}


def _queue(records: Sequence[Record]) -> QueueFigures:
    done = [record for record in records if record.outcome == "completed"]
    return QueueFigures(
        jobs=len(records),
        completed=len(done),
        failed=sum(record.outcome == "failed" for record in records),
        latency=_over(done, latency),
        queue_wait=_over(done, lambda record: stage(record, "published", "started")),
        service=_over(done, service),
    )


def _workers(ended: Sequence[Record]) -> dict[str, WorkerFigures]:
    known = [record for record in ended if record.worker]
    names = sorted({record.worker for record in known})
    return {
        name: _worker([record for record in known if record.worker == name], len(known)) for name in names
    }


def _worker(records: Sequence[Record], everyone: int) -> WorkerFigures:
    busy = sum(filter(None, map(service, records)))
    return WorkerFigures(
        jobs=len(records), share=len(records) / everyone, busy_s=busy, service=_over(records, service)
    )


def _repeated(records: Sequence[Record]) -> bool:
    """Whether jobs came in bursts: more than one job at a time, and more than once."""
    times = sorted(record.intended_at for record in records)
    return len(set(times)) > 1 and any(one == other for one, other in pairwise(times))


def _over(records: Iterable[Record], duration: Callable[[Record], float | None]) -> Spread:
    return spread([found for record in records if (found := duration(record)) is not None])


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else end - begin


def _since(begin: float, moments: Iterable[float | None]) -> float:
    return max((moment - begin for moment in moments if moment is not None), default=0.0)


def _rate(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0
