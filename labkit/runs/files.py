"""What is in a run directory: the names of its files and of their columns."""

from __future__ import annotations

from typing import get_args

from labkit.project import RUNS
from services.common.messages import Stage

__all__ = ["RUNS"]

FORMAT = 2
LATEST = "latest"

ABOUT, JOBS, SAMPLES, MARKS = "run.json", "jobs.csv", "samples.csv", "events.jsonl"
LEDGER, SUMMARY, REPORT = "ledger.json", "summary.json", "report.html"

STAGES: tuple[Stage, ...] = get_args(Stage)
COLUMNS = (
    "sequence",
    "job_id",
    "kind",
    "image",
    "operations",
    "intended",
    "sent",
    "answered",
    *STAGES,
    "ended",
    "status_code",
    "attempts",
    "completions",
    "redelivered",
    "retried",
    "resent",
    "dropped",
    "worker",
    "queue",
    "outcome",
    "reason",
    "verified",
    "error",
)
"""One row a job; times are seconds since the epoch."""

SAMPLE_COLUMNS = (
    "at",
    "kind",
    "name",
    "ready",
    "unacked",
    "consumers",
    "in_per_s",
    "out_per_s",
    "oldest_s",
    "state",
    "cpu_percent",
    "memory_mb",
    "done",
    "failed",
    "restarts",
)
"""One row a second and thing; kind is queue or instance; at is seconds since the epoch."""
