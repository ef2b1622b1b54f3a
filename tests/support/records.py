"""Records of a load run, made by hand."""

from __future__ import annotations

from typing import Any

from labkit.load.records import Record
from labkit.load.workloads import Planned
from services.common.messages import Event
from tests.support.examples import event


def record(*events: Event, sequence: int = 0, **fields: Any) -> Record:  # noqa: ANN401  (any field)
    """Return the record of an accepted job; `events` are what was seen of it, one second apart."""
    made = Record(Planned(sequence=sequence, image="A.jpg", operations="resize"), intended_at=100.0)
    made.sent_at, made.answered_at, made.status_code, made.job_id = 100.1, 100.3, 202, f"job-{sequence}"
    for number, happened in enumerate(events):
        made.story.take(happened, 101.0 + number)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def completed(sequence: int = 0, **fields: Any) -> Record:  # noqa: ANN401  (any field)
    """Return the record of a job that was completed by its first attempt."""
    job_id = f"job-{sequence}"
    events = (event("job.started", job_id), event("job.completed", job_id))
    return record(*events, sequence=sequence, **({"outcome": "completed", "ended_at": 102.0} | fields))
