"""The three classic questions to a job table, as SQL that SQLite and PostgreSQL both understand.

Times in the table are seconds since the epoch, so a difference is a number of seconds.
"""

from __future__ import annotations

STATS = """\
select status, count(*) as jobs
from jobs
group by status
order by jobs desc"""

RECENT = """\
select id, filename, operations, status, attempt, worker,
       round(cast(processed_at - created_at as numeric), 3) as seconds
from jobs
order by id desc
limit 20"""

TIMES = """\
select kind, operations, count(*) as jobs,
       round(cast(min(seconds) as numeric), 3) as min_s,
       round(cast(avg(seconds) as numeric), 3) as mean_s,
       round(cast(max(seconds) as numeric), 3) as max_s
from (select *, processed_at - processing_started_at as seconds
      from jobs) as timed
where status = 'completed' and seconds is not null
group by kind, operations
order by mean_s desc"""

QUERIES = {"stats": STATS, "recent": RECENT, "times": TIMES}
