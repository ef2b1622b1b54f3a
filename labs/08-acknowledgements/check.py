"""Lab 08: the student's consumer is killed on the way, and must lose nothing."""

from __future__ import annotations

from labkit.labs.checks import Failed, NotSo, Outcome, Passed, Unknown, check
from labkit.labs.evidence import Evidence
from labkit.labs.exercise import KILL_AFTER, Trial

MANY = 10
CHECK = "Save the file, then: labctl lab check"


def trial(evidence: Evidence) -> Trial:
    """Return what came of it, if the program worked at all."""
    found = evidence.trial
    if found.before < KILL_AFTER:
        raise stuck(found)
    return found


def stuck(found: Trial) -> NotSo:
    """Say why it may have stopped before the tenth message."""
    done = f"{found.before} message{'' if found.before == 1 else 's'}"
    if found.output:
        return NotSo(f"It did {done}. Its last words:\n{found.output}", f"Mend it. {CHECK}")
    if found.before and found.handed_out <= 1:
        return NotSo(
            f"It did {done}, and then waited for ever: with a prefetch limit the broker "
            "sends no more until you acknowledge.",
            f"Call basic_ack for each message. {CHECK}",
        )
    return NotSo(
        f"It printed `done N` for {done} only.",
        f"Leave the print line as it is, with flush=True. {CHECK}",
    )


@check
def the_program_works(evidence: Evidence) -> Outcome:
    """Your program takes messages and does them."""
    found = trial(evidence)
    return Passed(
        f"sent {found.sent}, processed {found.processed}, lost {found.lost}, duplicated {found.duplicated}"
    )


@check
def nothing_is_lost(evidence: Evidence) -> Outcome:
    """Nothing is lost when it is killed after 10 messages."""
    found = trial(evidence)
    count = f"sent {found.sent}, processed {found.processed}, lost {found.lost}"
    if found.lost > MANY:
        return Failed(
            f"{count}. Auto-ack is on: the broker sent everything at once, and forgot it.",
            "Take auto_ack=True away, and call basic_ack yourself.",
        )
    if found.lost:
        return Failed(
            f"{count}. You acknowledge before the work: what is in hand then is gone.",
            f"Move basic_ack behind the work. {CHECK}",
        )
    return Passed(f"{count}; {found.back} waited after the kill")


@check
def little_is_done_twice(evidence: Evidence) -> Outcome:
    """At most the one message in its hands is done twice."""
    found = trial(evidence)
    if found.duplicated > 1:
        return Failed(
            f"{found.duplicated} messages were done twice: never acknowledged, or put back (requeue).",
            f"Call basic_ack once for each message, after the work. {CHECK}",
        )
    return Passed(f"duplicated {found.duplicated}")


@check
def the_prefetch_is_limited(evidence: Evidence) -> Outcome:
    """It holds only a few messages at a time."""
    found = trial(evidence)
    if found.ready == found.sent:
        return Unknown("Nobody saw the queue while it worked.", CHECK)
    if found.handed_out > MANY:
        return Failed(
            f"It was given {found.handed_out} messages at once: prefetch unlimited, or auto-ack on.",
            f"Before basic_consume: channel.basic_qos(prefetch_count=1). {CHECK}",
        )
    return Passed("the others stay in the queue, for other consumers")


def figures(evidence: Evidence) -> dict[str, float]:
    """Return what was lost, and how far it was when it was killed."""
    found = trial(evidence)
    return {"lost": found.lost, "before": found.before, "sent": found.sent}
