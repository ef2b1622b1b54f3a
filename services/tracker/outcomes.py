"""The ends of jobs as metrics, by what the job table says moved.

So each generation of a job counts once, however often its end is told.
"""

from __future__ import annotations

from itertools import product
from typing import get_args

from services.common import metrics
from services.common.dead_letters import REASONS
from services.common.jobs.uploads import EXPIRED, REFUSED
from services.common.messages import Change, Changes, Kind

NEVER_SENT = (EXPIRED, REFUSED)
KNOWN = (*REASONS, *NEVER_SENT)
OTHER = "other"
"""Whoever may publish can write any reason: a label that anybody may choose would fill the memory."""


def prepare() -> None:
    """Show each outcome at zero: a rate needs the value before the first one."""
    for kind in get_args(Kind):
        metrics.jobs_ended.labels(kind, "completed", "")
        metrics.job_latency.labels(kind, "completed")
        metrics.job_latency.labels(kind, "failed")
    for kind, reason in product(get_args(Kind), (*KNOWN, OTHER)):
        metrics.jobs_ended.labels(kind, "failed", reason)


def count(changes: Changes) -> None:
    """Count the jobs that a commit ended, and how long they took."""
    ended = set(changes.ended)
    for row in changes.rows:
        # One that was sent again in the same commit is under way once more.
        if row.job_id in ended and row.status in ("completed", "failed"):
            _count(row)


def _count(row: Change) -> None:
    reason = "" if row.status == "completed" else row.reason if row.reason in KNOWN else OTHER
    metrics.jobs_ended.labels(row.kind, row.status, reason).inc()
    # A replay begins anew; the hours before it are not the pipeline's.
    begun = row.clock.get("accepted" if row.generation == 1 else "published")
    finished = row.clock.get("finished")
    if begun is not None and finished is not None and reason not in NEVER_SENT:
        metrics.job_latency.labels(row.kind, row.status).observe(max(0.0, finished - begun))
