"""Bursts and backlog of a run, by the load generator's own clock."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.load.records import Record


@dataclass(frozen=True, slots=True)
class Burst:
    """Jobs with one intended time, until the next ones are due.

    at_s: seconds after the first burst. jobs: how many were sent. peak_backlog: most jobs that were in the
    system at one moment. drain_s: seconds until none was left; None when the next burst came first, or
    when some never ended.
    """

    at_s: float
    jobs: int
    peak_backlog: int
    drain_s: float | None


def bursts(records: Sequence[Record]) -> tuple[Burst, ...]:
    """Return the bursts in order of time."""
    sizes = Counter(record.intended_at for record in records)
    begins = sorted(sizes)
    levels = backlog(records)
    times = [at for at, _ in levels]
    found = []
    for number, begin in enumerate(begins):
        first = bisect_right(times, begin) - 1
        last = bisect_right(times, begins[number + 1]) - 1 if number + 1 < len(begins) else len(levels)
        span = levels[max(0, first) : last]
        peak = max((count for _, count in span), default=0)
        empty = next((at for at, count in span if count == 0), None)
        drain = None if empty is None else empty - begin
        found.append(Burst(begin - begins[0], sizes[begin], peak, drain))
    return tuple(found)


def backlog(records: Sequence[Record]) -> list[tuple[float, int]]:
    """Return (moment, jobs in the system from then on) at each change.

    A job is in the system from its intended send until the news of its end, if it was accepted.
    """
    changes: Counter[float] = Counter()
    for record in records:
        if record.accepted:
            changes[record.intended_at] += 1
            if record.ended_at is not None:
                changes[max(record.ended_at, record.intended_at)] -= 1
    levels = []
    level = 0
    for at in sorted(changes):
        level += changes[at]
        levels.append((at, level))
    return levels
