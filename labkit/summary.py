"""What a run amounts to: rates, latency percentiles, and where the time went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from labkit.load.records import Record
from labkit.statistics import percentile, samples_needed
from services.common.messages import Stage


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of a duration, milliseconds; None without a sample."""

    samples: int
    p50_ms: float | None
    p95_ms: float | None

    @property
    def few(self) -> bool:
        """Whether P95 rests on too few samples to mean much."""
        return self.samples < samples_needed(0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run's figures over its completed jobs."""

    jobs: int
    completed: int
    duration_s: float
    throughput_per_s: float
    latency: Spread
    accept: Spread
    queue_wait: Spread
    service: Spread


def summarize(records: Sequence[Record]) -> Summary:
    """Return the figures of a run.

    Latency counts from the intended send time to the moment its end was seen here, all by this machine's
    clock; accept is the answer's time; queue wait and service come from the stage clock.
    """
    done = [record for record in records if record.outcome == "completed"]
    ends = [record.ended_at for record in done if record.ended_at is not None]
    duration = max(ends) - min(record.intended_at for record in records) if ends else 0.0
    return Summary(
        jobs=len(records),
        completed=len(done),
        duration_s=duration,
        throughput_per_s=len(ends) / duration if duration else 0.0,
        latency=_spread(_each(done, lambda record: _between(record.intended_at, record.ended_at))),
        accept=_spread(_each(done, lambda record: _between(record.sent_at, record.answered_at))),
        queue_wait=_spread(_each(done, lambda record: _stage(record, "published", "started"))),
        service=_spread(_each(done, lambda record: _stage(record, "started", "finished"))),
    )


def _each(records: Iterable[Record], duration: Callable[[Record], float | None]) -> list[float]:
    return [found for record in records if (found := duration(record)) is not None]


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else end - begin


def _stage(record: Record, begin: Stage, end: Stage) -> float | None:
    return _between(record.clock.get(begin), record.clock.get(end))


def _spread(seconds: Sequence[float]) -> Spread:
    if not seconds:
        return Spread(0, None, None)
    return Spread(len(seconds), 1000 * percentile(seconds, 0.5), 1000 * percentile(seconds, 0.95))
