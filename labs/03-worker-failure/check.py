"""Lab 03: a worker was killed in the middle of a job, and nothing was lost."""

from __future__ import annotations

from labkit.control.marks import Mark
from labkit.labs.checks import Failed, NotKnown, Outcome, Passed, Unknown, check
from labkit.labs.evidence import Evidence
from labkit.runs.read import RunFiles
from labkit.words import command

JOBS, WORKERS = 40, 2
DO = "messages 40 --processing-time 1"
KILL = "kill worker-1 --down-for 10"
STARTS_S = 5.0
"""For the worker to start again, and to take a job."""


def run_of(evidence: Evidence) -> RunFiles:
    """Return the run of 40 jobs by two workers."""
    wanted = {"ack": "late", "prefetch": 1, "workers": WORKERS}
    return evidence.run(do=DO, jobs=JOBS, work_s=[1.0], setup=wanted)


def kill_of(evidence: Evidence, run: RunFiles) -> Mark:
    """Return the kill of a worker that held a job, and whose job came again."""
    kills = [mark for mark in evidence.marks(run, "kill") if mark.target.startswith("worker")]
    if not kills:
        raise NotKnown(
            "No worker was killed while the jobs ran.",
            f"Send the jobs again, and in a second terminal: {command(KILL)}",
        )
    if not run.ledger.get("redelivered"):
        held = evidence.unacked(run, kills[0].at)
        seen = f" ({held} unacked)" if held is not None else ""
        raise NotKnown(
            f"The worker was idle when you killed it{seen}: no job came again.",
            "Send the jobs again, and kill it while `unacked` is 1 or more (labctl status).",
        )
    return kills[0]


def away_s(evidence: Evidence, run: RunFiles) -> float:
    """Return how long the worker was away, seconds."""
    killed = kill_of(evidence, run)
    back = [mark.at for mark in run.marks if mark.kind == "back" and mark.target == killed.target]
    if not back:
        raise NotKnown(
            f"{killed.target} did not stay away, or was not back before the last job was done.",
            f"Send the jobs again, and about 5 s later in a second terminal: {command(KILL)}",
        )
    return back[0] - killed.at


@check
def a_busy_worker_was_killed(evidence: Evidence) -> Outcome:
    """A worker was killed in the middle of a job."""
    killed = kill_of(evidence, run_of(evidence))
    return Passed(f"{killed.text}, and its job came again")


@check
def nothing_was_lost(evidence: Evidence) -> Outcome:
    """No job was lost."""
    run = run_of(evidence)
    kill_of(evidence, run)
    evidence.complete(run, JOBS)
    return Passed(f"{JOBS} of {JOBS} completed, 0 lost")


@check
def one_job_came_again(evidence: Evidence) -> Outcome:
    """Only the job in its hands was handed out again."""
    run = run_of(evidence)
    kill_of(evidence, run)
    kills = len(evidence.marks(run, "kill"))
    again = int(evidence.measure("redelivered", run))
    if again > kills:
        return Failed(
            f"{again} jobs were handed out again after {kills} kill.",
            "The worker held more than one: its prefetch was larger than 1. See: labctl config",
        )
    return Passed(f"redelivered: {again}")


@check
def the_time_fits(evidence: Evidence) -> Outcome:
    """The time that it took is what one missing worker costs."""
    run = run_of(evidence)
    away = away_s(evidence, run)
    took = evidence.measure("duration_s", run)
    low, high = (JOBS + away) / WORKERS - 1, (JOBS + away + 1 + STARTS_S) / WORKERS + 1
    if len(evidence.marks(run, "kill")) == 1 and not low <= took <= high:
        return Unknown(
            f"It took {took:.1f} s, and {low:.0f} to {high:.0f} s were due, with {away:.0f} s away.",
            f"Close other programs, and do it again; kill it about 5 s after: {command(DO)}",
        )
    return Passed(f"{took:.1f} s, with a worker away for {away:.1f} s")


def figures(evidence: Evidence) -> dict[str, float]:
    """Return what was lost, what came again, when all was done, and how long the worker was away."""
    run = run_of(evidence)
    names = {"lost": "lost", "redelivered": "redelivered", "done": "duration_s"}
    return {
        **{key: evidence.measure(name, run) for key, name in names.items()},
        "down": away_s(evidence, run),
    }
