"""How long each stage takes, over the jobs of the last minute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from labkit.analysis.statistics import percentile
from labkit.sampling.samples import StageSample
from services.common.messages import Clock, Stage

if TYPE_CHECKING:
    from services.common.jobs import Ended

WINDOW_S = 60.0
MOST_JOBS = 500

# A text job is not fetched: its work begins when it is taken.
_SPANS: tuple[tuple[str, tuple[Stage, ...], Stage], ...] = (
    ("accept", ("accepted",), "published"),
    ("queue wait", ("published",), "started"),
    ("fetch", ("started",), "fetched"),
    ("process", ("fetched", "started"), "processed"),
    ("store", ("processed",), "stored"),
    ("total", ("accepted",), "finished"),
)


class LastMinute:
    """The stage clocks of the jobs that ended within the last minute, at most the newest 500."""

    def __init__(self) -> None:
        self._clocks: dict[str, Clock] = {}

    def add(self, jobs: Sequence[Ended]) -> None:
        """Take in jobs, newest first; one that is known already changes its clock only."""
        for job in reversed(jobs):
            self._clocks[job.job_id] = job.clock

    def stages(self, now: float) -> tuple[StageSample, ...]:
        """Return the stages of which there is a job, in their order; `now` in epoch seconds."""
        recent = [(name, clock) for name, clock in self._clocks.items() if _is_recent(clock, now)]
        self._clocks = dict(recent[-MOST_JOBS:])
        found = ((name, _lengths(self._clocks.values(), begins, end)) for name, begins, end in _SPANS)
        return tuple(
            StageSample(name, len(lengths), percentile(lengths, 0.5), percentile(lengths, 0.95))
            for name, lengths in found
            if lengths
        )


def _is_recent(clock: Clock, now: float) -> bool:
    return now - clock.get("finished", 0.0) <= WINDOW_S


def _lengths(clocks: Iterable[Clock], begins: tuple[Stage, ...], end: Stage) -> list[float]:
    found = []
    for clock in clocks:
        begin = next((clock[stage] for stage in begins if stage in clock), None)
        if begin is not None and end in clock:
            found.append(max(0.0, clock[end] - begin))  # two services' clocks may differ
    return found
