"""What can be measured on a run, by name: exact, from the record of each job rather than from samples.

A measure may take a word after a dot: `done_by.worker-2`, `end_of.convert`, `failed_by.permanent`.
Times count from the moment at which the first job was due, by the load generator's clock.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from labkit.analysis.ledger import Ledger, balance
from labkit.analysis.statistics import percentile, samples_needed
from labkit.errors import UnknownName
from labkit.experiments.expectation import Value
from labkit.load.records import Record

SPEEDUP = "speedup"
"""Compares points, so the runner computes it: duration of the sweep's first point over that of this one."""

PATIENCE_S = 2.0
"""What a person waits for an answer before turning away."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run, as far as measures need it."""

    records: Sequence[Record]
    ledger: Ledger

    @classmethod
    def of(cls, records: Sequence[Record]) -> Run:
        """Make it from a run's records."""
        return cls(records, balance(records))

    @property
    def begun(self) -> float:
        """When the first job was due."""
        return min(record.intended_at for record in self.records)

    @property
    def ends(self) -> list[float]:
        """When jobs ended, well or not, in order."""
        return sorted(record.ended_at for record in self.records if record.ended_at is not None)


@dataclass(frozen=True, slots=True)
class Measure:
    """How to get a number out of a run; in `title`, for tables, `{}` is the word after the dot."""

    title: str
    unit: str
    of: Callable[[Run, str], Value]


def measure(name: str, run: Run) -> Value:
    """Return what `name` is in this run. Raises UnknownName."""
    kind, _, word = name.partition(".")
    return find(name).of(run, word) if kind != SPEEDUP else Value(None)


def find(name: str) -> Measure:
    """Look a measure up. Raises UnknownName."""
    kind, _, word = name.partition(".")
    if kind not in MEASURES or bool(word) != ("{}" in MEASURES[kind].title):
        raise UnknownName.of("measure", name, sorted(MEASURES))
    return MEASURES[kind]


def title(name: str) -> str:
    """Return the name of a measure for people. Raises UnknownName."""
    return find(name).title.format(name.partition(".")[2])


def refusals(records: Sequence[Record]) -> dict[str, int]:
    """Return how often the API said what instead of yes, "no answer" included."""
    said = ["no answer" if record.status_code is None else str(record.status_code) for record in records]
    return dict(Counter(word for record, word in zip(records, said, strict=True) if not record.accepted))


def _duration(run: Run, _: str) -> Value:
    return Value(run.ends[-1] - run.begun) if run.ends else _none("no job ended")


def _throughput(run: Run, _: str) -> Value:
    duration = _duration(run, "").number
    return Value(len(run.ends) / duration) if duration else _none("no job ended")


def _peak_backlog(run: Run, _: str) -> Value:
    """Jobs that were sent and had not ended, at the worst moment."""
    steps = [(record.sent_at, 1) for record in run.records if record.sent_at is not None and record.accepted]
    steps += [(end, -1) for end in run.ends]
    level = peak = 0
    for _at, step in sorted(steps):
        level += step
        peak = max(peak, level)
    return Value(peak) if steps else _none("no job was accepted")


def _gap(run: Run, _: str) -> Value:
    gaps = [later - sooner for sooner, later in zip(run.ends, run.ends[1:], strict=False)]
    return Value(max(gaps)) if gaps else _none("fewer than two jobs ended")


def _deliveries(run: Run, _: str) -> Value:
    accepted = [record for record in run.records if record.accepted]
    return _mean([float(len(record.story.started)) for record in accepted])


def _done_by(run: Run, worker: str) -> Value:
    return Value(sum(record.outcome == "completed" and record.worker == worker for record in run.records))


def _end_of(run: Run, operation: str) -> Value:
    ends = [
        record.ended_at
        for record in run.records
        if record.ended_at is not None and record.planned.operations.split(",")[0] == operation
    ]
    return Value(max(ends) - run.begun) if ends else _none(f"no {operation} job ended")


def _little(run: Run, _: str) -> Value:
    """Mean number of requests under way, by Little's law: rate of answers times mean time to an answer."""
    rate, mean = _answered(run, "").number, _mean(list(_answers(run))).number
    return Value(rate * mean) if rate and mean else _none("there were no answers")


def _answered(run: Run, _: str) -> Value:
    times = sorted(record.answered_at for record in run.records if record.accepted and record.answered_at)
    return Value(len(times) / (times[-1] - run.begun)) if times else _none("there were no answers")


def _answers(run: Run) -> Iterator[float]:
    for record in run.records:
        if record.accepted and record.answered_at is not None and record.sent_at is not None:
            yield record.answered_at - record.sent_at


def _latencies(run: Run) -> Iterator[float]:
    for record in run.records:
        if record.outcome == "completed" and record.ended_at is not None:
            yield record.ended_at - record.intended_at


def _processing(run: Run) -> dict[str, float]:
    """Return the mean time of the work itself, seconds, by the job's operations."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for record in run.records:
        if "fetched" in record.clock and "processed" in record.clock:
            times[record.planned.operations].append(record.clock["processed"] - record.clock["fetched"])
    return {name: statistics.fmean(found) for name, found in times.items()}


def _processing_of(run: Run, operations: str) -> Value:
    mean = _processing(run).get(operations)
    return _none(f"no {operations} job was done") if mean is None else Value(1000 * mean)


def _slowest_to_fastest(run: Run, _: str) -> Value:
    means = _processing(run).values()
    return Value(max(means) / min(means)) if means and min(means) > 0 else _none("no image was processed")


def _slowest_share(run: Run, _: str) -> Value:
    means = _processing(run).values()
    return (
        Value(100 * max(means) / sum(means)) if means and sum(means) > 0 else _none("no image was processed")
    )


def _patience(run: Run, _: str) -> Value:
    """Clients that can send at once until one waits for PATIENCE_S, by Little's law."""
    rate = _answered(run, "").number
    return Value(rate * PATIENCE_S) if rate else _none("there were no answers")


def _too_late(run: Run, _: str) -> Value:
    sent = [record for record in run.records if record.sent_at is not None]
    waits = [(record.answered_at or math.inf) - (record.sent_at or 0.0) for record in sent]
    return Value(sum(wait > PATIENCE_S for wait in waits))


def _services(run: Run) -> Iterator[float]:
    for record in run.records:
        if "started" in record.clock and "finished" in record.clock:
            yield record.clock["finished"] - record.clock["started"]


def _mean(values: Sequence[float], scale: float = 1) -> Value:
    return Value(scale * statistics.fmean(values)) if values else _none("there is nothing to take a mean of")


def _quantile(values: Sequence[float], q: float, scale: float = 1) -> Value:
    if len(values) < samples_needed(q):
        return _none(f"few samples: {len(values)}, a P{100 * q:g} needs {samples_needed(q)}")
    return Value(scale * percentile(values, q))


def _none(why: str) -> Value:
    return Value(None, why)


def _lost(run: Run, _: str) -> Value:
    unknown = run.ledger.unknown - run.ledger.recovered
    if unknown > 0:
        return _none(f"{unknown} job{'s' if unknown > 1 else ''} without a clear answer")
    return Value(run.ledger.lost)


def _counted(name: str) -> Callable[[Run, str], Value]:
    return lambda run, _: Value(getattr(run.ledger, name))


MEASURES: Mapping[str, Measure] = {
    "duration_s": Measure("until the last job ended", "s", _duration),
    "throughput_per_s": Measure("jobs ended a second", "/s", _throughput),
    SPEEDUP: Measure("times as fast as the first", "x", lambda *_: _none("")),
    "peak_backlog": Measure("peak backlog", "jobs", _peak_backlog),
    "gap_s": Measure("longest standstill", "s", _gap),
    "latency_mean_s": Measure("latency, mean", "s", lambda run, _: _mean(list(_latencies(run)))),
    "latency_p95_s": Measure("latency, P95", "s", lambda run, _: _quantile(list(_latencies(run)), 0.95)),
    "service_mean_ms": Measure("service time, mean", "ms", lambda run, _: _mean(list(_services(run)), 1000)),
    "answer_mean_ms": Measure("answer, mean", "ms", lambda run, _: _mean(list(_answers(run)), 1000)),
    "answer_p95_ms": Measure("answer, P95", "ms", lambda run, _: _quantile(list(_answers(run)), 0.95, 1000)),
    "patience": Measure(f"{PATIENCE_S:g} s of patience allow", "clients", _patience),
    "too_late": Measure(f"answers after {PATIENCE_S:g} s", "jobs", _too_late),
    "processing_ms": Measure("processing {}", "ms", _processing_of),
    "slowest_to_fastest": Measure("slowest to fastest", "x", _slowest_to_fastest),
    "slowest_share": Measure("share of the slowest", "%", _slowest_share),
    "answered_per_s": Measure("answers a second", "/s", _answered),
    "under_way": Measure("requests under way, mean", "", _little),
    "deliveries_per_job": Measure("deliveries a job", "", _deliveries),
    "done_by": Measure("jobs done by {}", "jobs", _done_by),
    "end_of": Measure("last {} job ended", "s", _end_of),
    "failed_by": Measure(
        "failed: {}", "jobs", lambda run, reason: Value(run.ledger.failed_by_reason.get(reason, 0))
    ),
    "accepted": Measure("accepted", "jobs", _counted("accepted")),
    "refused": Measure("refused", "jobs", _counted("rejected")),
    "unknown": Measure("without a clear answer", "jobs", _counted("unknown")),
    "completed": Measure("completed", "jobs", _counted("completed")),
    "failed": Measure("failed", "jobs", _counted("failed")),
    "lost": Measure("lost", "jobs", _lost),
    "duplicated": Measure("done twice", "jobs", _counted("duplicated")),
    "redelivered": Measure("redelivered", "jobs", _counted("redelivered")),
    "retried": Measure("retries", "", _counted("retried")),
    "verified": Measure("results verified", "jobs", _counted("verified")),
}
