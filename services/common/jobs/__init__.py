"""The job table: what every program may know of jobs."""

from services.common.jobs.store import JobStore
from services.common.jobs.table import Ended, Filter, JobRow, NewJob, Waiting, Wanted

__all__ = ["Ended", "Filter", "JobRow", "JobStore", "NewJob", "Waiting", "Wanted"]
