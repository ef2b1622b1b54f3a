"""Lab 04: three bursts, and the queue that took them up."""

from __future__ import annotations

from labkit.labs.checks import Failed, Outcome, Passed, Unknown, check
from labkit.labs.evidence import Evidence
from labkit.runs.read import RunFiles
from labkit.words import command

SIZE, COUNT, EVERY_S, WORK_S, WORKERS = 60, 3, 5.0, 0.25, 2
JOBS = SIZE * COUNT
DO = "burst 60 --times 3 --every 5 --processing-time 0.25"
PEAK, EMPTY_S = JOBS - (COUNT - 1) * EVERY_S * WORKERS / WORK_S, JOBS * WORK_S / WORKERS
WITHIN = 0.1


def run_of(evidence: Evidence) -> RunFiles:
    """Return the run of three bursts with two workers."""
    return evidence.run(do=DO, jobs=JOBS, work_s=[WORK_S], setup={"workers": WORKERS})


@check
def three_bursts_came(evidence: Evidence) -> Outcome:
    """Three bursts of 60 jobs came, 5 s apart."""
    run = run_of(evidence)
    times = sorted(record.intended_at for record in run.records)
    begins = [times[number * SIZE] - times[0] for number in range(COUNT)]
    wanted = [number * EVERY_S for number in range(COUNT)]
    if any(abs(found - due) > 1 for found, due in zip(begins, wanted, strict=True)):
        return Failed(
            f"They began after {', '.join(f'{begin:.0f}' for begin in begins)} s.", f"Type: {command(DO)}"
        )
    return Passed(f"after {', '.join(f'{begin:.0f}' for begin in begins)} s")


@check
def everything_was_done(evidence: Evidence) -> Outcome:
    """All 180 jobs were completed."""
    evidence.complete(run_of(evidence), JOBS)
    return Passed(f"{JOBS} completed, 0 lost")


@check
def the_queue_took_it_up(evidence: Evidence) -> Outcome:
    """The queue grew as the arithmetic says."""
    peak = evidence.measure("peak_backlog", run_of(evidence))
    if abs(peak - PEAK) > WITHIN * PEAK:
        return Unknown(
            f"At the worst moment there were {peak:.0f} jobs, and {PEAK:.0f} were due.",
            f"Close other programs, and do it again: {command(DO)}",
        )
    return Passed(f"{peak:.0f} jobs at the worst moment")


@check
def it_was_empty_in_time(evidence: Evidence) -> Outcome:
    """Everything was done when the arithmetic says."""
    took = evidence.measure("duration_s", run_of(evidence))
    if abs(took - EMPTY_S) > WITHIN * EMPTY_S:
        return Unknown(
            f"It took {took:.1f} s, and {EMPTY_S:.1f} s were due.",
            f"Close other programs, and do it again: {command(DO)}",
        )
    return Passed(f"{took:.1f} s")


def figures(evidence: Evidence) -> dict[str, float]:
    """Return the longest queue, when it was empty, and the jobs a second."""
    names = {"peak": "peak_backlog", "empty": "duration_s", "rate": "throughput_per_s"}
    return {key: evidence.measure(name, run_of(evidence)) for key, name in names.items()}
