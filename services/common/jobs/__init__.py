"""The job table: what every program may know of jobs, and of those who own them."""

from services.common.jobs.store import JobStore
from services.common.jobs.table import Ended, Filter, JobRow, NewJob, Waiting, Wanted
from services.common.jobs.users import Role, User

__all__ = ["Ended", "Filter", "JobRow", "JobStore", "NewJob", "Role", "User", "Waiting", "Wanted"]
