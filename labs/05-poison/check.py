"""Lab 05: a damaged picture and a passing fault, both given up, both sent again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.labs.checks import Failed, NotKnown, NotSo, Outcome, Passed, Unknown, check
from labkit.labs.evidence import WRONG, Evidence
from labkit.words import command

SENT = 50
TRIES = 4
FAULT = "injected_fault"
"""The reason that `chaos fail-rate` gives."""
Job = Mapping[str, Any]


def named(evidence: Evidence, begin: str) -> list[Job]:
    """Return the newest job of each picture whose file's name begins like this."""
    found: dict[str, Job] = {}
    for job in evidence.pictures():
        name = job["file_name"] or ""
        if name.startswith(begin):
            found.setdefault(name, job)
    return list(found.values())


def apples(evidence: Evidence) -> list[Job]:
    """Return the 50 pictures, all of which have ended."""
    found = named(evidence, "apple-")
    if len(found) < SENT:
        raise NotKnown(
            f"{len(found)} of {SENT} pictures were sent since your prediction.",
            f"See the step: {command('lab start')}",
        )
    under_way = [job for job in found if job["status"] not in ("completed", "failed")]
    if under_way:
        raise NotKnown(
            f"Pictures that are still under way: {len(under_way)}.", "Wait a moment, and check again."
        )
    return found


def damaged(evidence: Evidence) -> Job:
    """Return the job that failed for good."""
    failed = [job for job in apples(evidence) if job["status"] == "failed"]
    if len(failed) != 1:
        raise NotSo(
            f"{len(failed)} of {SENT} pictures failed, and just one is damaged.",
            f"Take the fault away ({command('chaos clear')}), and begin again: {command('lab restart')}",
        )
    return failed[0]


def pear(evidence: Evidence) -> Job:
    """Return the good picture that met a passing fault."""
    found = named(evidence, "pear")
    if not found:
        raise NotKnown("The good picture was not sent yet.", f"Your step: {command('lab start')}")
    return found[0]


def cured(evidence: Evidence) -> Job:
    """Return the good picture, which was completed after it had been sent again."""
    job = pear(evidence)
    if job["generation"] < 2:
        raise NotKnown("It was not sent again yet.", f"Type: {command('dlq replay --all')}")
    if job["status"] == "failed":
        raise NotSo(
            "You sent it again while the fault was still on, so it failed again.",
            f"Mend first ({command('chaos clear')}), then: {command('dlq replay --all')}",
        )
    if job["status"] != "completed":
        raise NotKnown(f"The good picture is {job['status']}.", "Wait a moment, and check again.")
    return job


@check
def the_others_were_completed(evidence: Evidence) -> Outcome:
    """One damaged picture did not stop the other 49."""
    job = damaged(evidence)
    return Passed(f"{SENT - 1} completed, 1 failed: {job['error_code'] or job['reason']}")


@check
def failures_wait_before_the_next_try(evidence: Evidence) -> Outcome:
    """A passing fault is tried again later, not at once."""
    chosen = evidence.up().environment().get("LAB_RETRY", "delayed")
    if chosen != "delayed":
        reason, effect = WRONG.get(("retry", chosen), (f"The workers have LAB_RETRY={chosen}.", ""))
        return Failed(f"{reason} {effect}".strip(), f"Begin again: {command('lab restart')}")
    job = pear(evidence)
    if job["generation"] < 2 and job["status"] != "failed":
        return Unknown(
            f"The good picture is {job['status']}, and was not given up yet.",
            "Wait until it has failed. If it is completed, no fault was on: go on from step 3 once more.",
        )
    return Passed(f"the good picture was given up after {TRIES} tries")


@check
def the_fault_was_mended(evidence: Evidence) -> Outcome:
    """The fault was mended before the replay."""
    cured(evidence)
    return Passed("the good picture did not fail again")


@check
def a_replay_cured_the_good_one(evidence: Evidence) -> Outcome:
    """The replay cured the job whose cause was gone."""
    return Passed(f"{cured(evidence)['file_name']}: completed when it was sent again")


@check
def a_replay_did_not_cure_the_damaged_one(evidence: Evidence) -> Outcome:
    """The replay did not cure the damaged picture."""
    job = damaged(evidence)
    if job["generation"] < 2:
        return Unknown("It was not sent again yet.", f"Type: {command('dlq replay --all')}")
    if job["error_code"] == FAULT:
        return Unknown(
            "The fault was still on when you sent it again, and this time it failed of that.",
            f"Mend first ({command('chaos clear')}), then: {command('dlq replay --all')}",
        )
    return Passed(f"failed again: {job['error_code'] or job['reason']}")


def figures(evidence: Evidence) -> dict[str, float]:
    """Return how many were completed, how often the bad one was tried, and how many a replay cured."""
    done = [job for job in apples(evidence) if job["status"] == "completed"]
    again = [job for job in (damaged(evidence), pear(evidence)) if job["generation"] > 1]
    return {
        "completed": len(done),
        "attempts": damaged(evidence)["attempts"],
        "cured": sum(job["status"] == "completed" for job in again),
    }
