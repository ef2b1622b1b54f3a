"""Lab 01: one job through every hop, and answers beside a long queue."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from dataclasses import dataclass

from labkit.labs.checks import Failed, NotKnown, Outcome, Passed, Unknown, check
from labkit.labs.evidence import Evidence
from labkit.runs.read import RunFiles
from labkit.words import command

JOBS, WORK_S = 750, 0.1
DO = "messages --rps 30 --duration 25 --processing-time 0.1"
FEW, MANY = 60, 430
LEAST = 20
HOPS = ("accepted", "published", "started", "fetched", "processed", "stored", "finished")
FASTER, SLOWER = 0.5, 1.5
TENTHS = 10


def alike(ratio: float) -> bool:
    """Return whether that is no difference that matters."""
    return FASTER <= ratio <= SLOWER


@dataclass(frozen=True)
class Answers:
    """Times to an answer, seconds, with few and with many jobs waiting; peak: the longest queue."""

    empty: list[float]
    full: list[float]
    peak: int

    @property
    def ratio(self) -> float:
        """How many times as long the median answer takes beside the long queue."""
        return statistics.median(self.full) / statistics.median(self.empty)

    @property
    def undisturbed(self) -> float:
        """The same for the fastest tenth of the answers, which other programs hold up least."""
        full, empty = (statistics.quantiles(times, n=TENTHS)[0] for times in (self.full, self.empty))
        return full / empty

    @property
    def telling(self) -> float:
        """The ratio of the medians, or where these were disturbed that of the fastest answers."""
        return self.ratio if alike(self.ratio) else self.undisturbed


def run_of(evidence: Evidence) -> RunFiles:
    """Return the run in which the queue grew."""
    return evidence.run(do=DO, jobs=JOBS, work_s=[WORK_S])


def answers(evidence: Evidence) -> Answers:
    """Return the answers by how many jobs waited when the request was sent."""
    records = [record for record in run_of(evidence).records if record.accepted and record.sent_at]
    sent = sorted(record.sent_at or 0.0 for record in records)
    ends = sorted(record.ended_at for record in records if record.ended_at)
    found: tuple[list[float], list[float]] = ([], [])
    peak = 0
    for record in records:
        at = record.sent_at or 0.0
        waiting = bisect_left(sent, at) - bisect_left(ends, at)
        peak = max(peak, waiting)
        if record.answered_at and not FEW <= waiting < MANY:
            found[waiting >= MANY].append(record.answered_at - at)
    if len(found[1]) < LEAST:
        raise NotKnown(
            f"The queue grew to {peak} jobs only, so nobody knows the answer beside 500.",
            f"With one worker (labctl scale 1) once more: {command(DO)}",
        )
    return Answers(*found, peak)


@check
def a_job_went_through_every_hop(evidence: Evidence) -> Outcome:
    """One picture went through every hop."""
    pictures = [job for job in evidence.pictures() if job["file_name"] == "photo.jpg"]
    done = [job for job in pictures if job["status"] == "completed"]
    if not done:
        return Unknown("No photo.jpg came back since your prediction.", f"Begin: {command('lab start')}")
    missing = [hop for hop in HOPS if hop not in done[0]["clock"]]
    if missing:
        return Failed(f"Its clock has no {', '.join(missing)}.", f"See: {command('doctor')}")
    return Passed(" → ".join(HOPS))


@check
def a_queue_grew(evidence: Evidence) -> Outcome:
    """A queue of about 500 jobs grew, and was worked off."""
    found = answers(evidence)
    evidence.complete(run_of(evidence), JOBS)
    return Passed(f"{found.peak} jobs waited at the worst moment; all {JOBS} were completed")


@check
def the_answer_is_as_fast(evidence: Evidence) -> Outcome:
    """The answers were as fast as before while the jobs waited."""
    found = answers(evidence)
    if alike(found.ratio):
        return Passed(f"{found.ratio:.2f} times as long: no difference that matters")
    if alike(found.undisturbed):
        return Passed(
            f"the fastest answers took {found.undisturbed:.2f} times as long: no difference that matters; "
            "other programs held up the rest"
        )
    return Unknown(
        f"They took {found.ratio:.2f} times as long, and other programs may have done that.",
        f"Close other programs, and do it again: {command(DO)}",
    )


def figures(evidence: Evidence) -> dict[str, float]:
    """Return the ratio of the medians, the longest queue, and the jobs a second."""
    found, run = answers(evidence), run_of(evidence)
    return {"ratio": found.telling, "peak": found.peak, "rate": evidence.measure("throughput_per_s", run)}
