"""Lab 06: one run of jobs that all came at once, and where their time went."""

from __future__ import annotations

from statistics import median

from labkit.labs.checks import NotKnown, Outcome, Passed, Unknown, check
from labkit.labs.evidence import Evidence
from labkit.load.records import Record
from labkit.runs.read import RunFiles
from labkit.words import command

JOBS, WORK_S, WORKERS = 200, 0.1, 2
DO = "messages 200 --processing-time 0.1"
HALF, WITHIN = 0.5, 0.06
LEAST_SHARE = 50


def run_of(evidence: Evidence) -> RunFiles:
    """Return the run of 200 jobs at once."""
    wanted = {"arrivals": "all at once", "workers": WORKERS}
    return evidence.run(do=DO, jobs=JOBS, work_s=[WORK_S], setup=wanted)


def done(evidence: Evidence) -> list[Record]:
    """Return its completed jobs."""
    found = [record for record in run_of(evidence).records if record.outcome == "completed"]
    if not found:
        raise NotKnown("No job of the run was completed.", f"Once more: {command(DO)}")
    return found


def half(evidence: Evidence) -> float:
    """Return the median latency as a part of the whole time."""
    records = done(evidence)
    latencies = [record.ended_at - record.intended_at for record in records if record.ended_at]
    return median(latencies) / evidence.measure("duration_s", run_of(evidence))


def share(evidence: Evidence) -> float:
    """Return the median queue wait in percent of the median latency."""
    records = [record for record in done(evidence) if {"published", "started"} <= record.clock.keys()]
    waits = [record.clock["started"] - record.clock["published"] for record in records]
    latencies = [record.ended_at - record.intended_at for record in records if record.ended_at]
    return 100 * median(waits) / median(latencies)


@check
def jobs_came_at_once(evidence: Evidence) -> Outcome:
    """200 jobs came at once, and all were completed."""
    run = run_of(evidence)
    evidence.complete(run, JOBS)
    return Passed(f"{run.directory}: {JOBS} completed")


@check
def the_median_is_half(evidence: Evidence) -> Outcome:
    """The median job was done at half of the time."""
    found = half(evidence)
    if abs(found - HALF) > WITHIN:
        return Unknown(
            f"It was done at {found:.2f} of the time: the workers were not equally fast all the time.",
            f"Close other programs, and do it again: {command(DO)}",
        )
    return Passed(f"at {found:.2f} of the time")


@check
def it_waited(evidence: Evidence) -> Outcome:
    """Most of its time the median job waited in the queue."""
    found = share(evidence)
    if found < LEAST_SHARE:
        return Unknown(
            "It waited for less than half of its time: the API was slow to take the jobs.",
            f"Close other programs, and do it again: {command(DO)}",
        )
    return Passed("most of its time")


def figures(evidence: Evidence) -> dict[str, float]:
    """Return the median as a part of the whole, and the share of the queue wait in percent."""
    return {"half": half(evidence), "share": share(evidence)}
