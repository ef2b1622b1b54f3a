"""Lab 07: slow and fast jobs in turn, with prefetch 1 and without a limit."""

from __future__ import annotations

from labkit.labs.checks import Failed, NotKnown, Outcome, Passed, Unknown, check
from labkit.labs.evidence import Evidence
from labkit.runs.read import RunFiles
from labkit.words import command

JOBS, SLOW_S, FAST_S = 40, 0.5, 0.05
DO = "messages --rps 40 --duration 1 --processing-time 0.5,0.05"
ONE_S, UNLIMITED_S = JOBS / 2 * (SLOW_S + FAST_S) / 2, JOBS / 2 * SLOW_S
WITHIN_S = 1.2
NO_LIMIT = 0


def run_of(evidence: Evidence, prefetch: int, workers: int) -> RunFiles:
    """Return the run with this prefetch, and so many workers at its beginning."""
    wanted = {"prefetch": prefetch, "workers": workers}
    same = [run for run in evidence.runs if run.settings.get("jobs") == JOBS]
    if not any(run.settings.get("prefetch") == prefetch for run in same):
        change = "" if prefetch else f" after {command('up --prefetch 0')}"
        raise NotKnown(f"There is no run with prefetch {prefetch} yet.", f"Type{change}: {command(DO)}")
    return evidence.run(do=DO, jobs=JOBS, work_s=[SLOW_S, FAST_S], setup=wanted)


def took(evidence: Evidence, prefetch: int) -> float:
    """Return how long two workers needed."""
    run = run_of(evidence, prefetch, 2)
    evidence.complete(run, JOBS)
    return evidence.measure("duration_s", run)


@check
def prefetch_one_shares_the_work(evidence: Evidence) -> Outcome:
    """With prefetch 1 both workers work until the end."""
    found = took(evidence, 1)
    if abs(found - ONE_S) > WITHIN_S:
        return Unknown(
            f"It took {found:.1f} s, and {ONE_S:.1f} s were due: other programs may have run.",
            f"{command('up --prefetch 1')}, {command('scale 2')}, then: {command(DO)}",
        )
    return Passed(f"{found:.1f} s")


@check
def no_limit_gives_one_all_slow_jobs(evidence: Evidence) -> Outcome:
    """Without a limit one worker gets all slow jobs."""
    found = took(evidence, NO_LIMIT)
    if abs(found - UNLIMITED_S) > WITHIN_S:
        return Unknown(
            f"It took {found:.1f} s, and {UNLIMITED_S:.1f} s were due: other programs may have run.",
            f"{command('up --prefetch 0')}, {command('scale 2')}, then: {command(DO)}",
        )
    return Passed(f"{found:.1f} s")


@check
def late_help_gets_nothing(evidence: Evidence) -> Outcome:
    """Without a limit a late worker gets no job."""
    run = run_of(evidence, NO_LIMIT, 1)
    evidence.complete(run, JOBS)
    if not seen_running(run, "worker-2"):
        return Unknown(
            "No second worker came while the jobs ran.",
            f"With one worker (scale 1): {command(DO)}, and in a second terminal: {command('scale 2')}",
        )
    late = evidence.measure("done_by.worker-2", run)
    if late:
        return Failed(
            f"worker-2 did {late:.0f} jobs: it came before all jobs were handed out.",
            f"Back to one worker ({command('scale 1')}), and let it come a little later.",
        )
    return Passed(f"0 of {JOBS} jobs for worker-2")


def seen_running(run: RunFiles, name: str) -> bool:
    """Return whether the worker was there before the last job ended."""
    last = max(record.ended_at or 0.0 for record in run.records)
    return any(
        row["name"] == name and row["state"] == "running" and row["at"] < last - 1 for row in run.samples
    )


def figures(evidence: Evidence) -> dict[str, float]:
    """Return both times, and what the late worker did."""
    late = evidence.measure("done_by.worker-2", run_of(evidence, NO_LIMIT, 1))
    return {"one": took(evidence, 1), "unlimited": took(evidence, NO_LIMIT), "late": late}
