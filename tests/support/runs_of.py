"""Records of runs that never ran."""

from __future__ import annotations

from labkit.load.records import Record, Story
from labkit.load.workloads import Planned


def record(  # noqa: PLR0913 - each test names the few fields that it is about
    sequence: int = 0,
    *,
    sent: float = 0.0,
    ended: float | None = 1.0,
    operations: str = "",
    worker: str = "worker-1",
    outcome: str = "completed",
    status_code: int | None = 202,
    attempts: int = 1,
    service: tuple[float, float] = (0.0, 1.0),
    reason: str = "",
) -> Record:
    """Return a job that was answered at once; times are seconds from zero."""
    return Record(
        Planned(sequence=sequence, image="A.jpg", operations=operations),
        intended_at=sent,
        sent_at=sent,
        answered_at=sent + 0.5,
        status_code=status_code,
        job_id=f"job-{sequence}",
        story=Story(started=set(range(1, attempts + 1))),
        ended_at=ended,
        outcome=outcome if ended is not None else "",
        reason=reason,
        clock={} if ended is None else {"started": service[0], "finished": service[1]},
        worker=worker,
    )


def fifo(jobs: int, work_s: float, workers: int = 1, sent: float = 0.0) -> list[Record]:
    """Return jobs that all come at `sent` and are done one after the other by each worker."""
    return [
        record(
            number,
            sent=sent,
            ended=sent + (number // workers + 1) * work_s,
            worker=f"worker-{number % workers + 1}",
            service=(0, work_s),
        )
        for number in range(jobs)
    ]
