"""The job table: what every program may know of jobs."""

from services.common.jobs.store import JobStore
from services.common.jobs.table import Filter, JobRow, NewJob

__all__ = ["Filter", "JobRow", "JobStore", "NewJob"]
