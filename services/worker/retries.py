"""What becomes of a failed attempt: a pure decision.

A transient fault is tried again after 1, 5 and 15 s; when these are used up, or when the fault is
permanent, the job goes to the dead-letter queue. A failed job is never requeued at once: RabbitMQ 4.3 does
not count `basic.nack(requeue)`, so a poison message would loop for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.common.dead_letters import ATTEMPTS_SPENT, BAD_MESSAGE, PERMANENT
from services.common.errors import BadMessage, PermanentError, QueueLabError
from services.common.topology import RETRY_DELAYS_S


@dataclass(frozen=True, slots=True)
class Retry:
    """Publish the job to the retry queue of this delay."""

    delay_s: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Publish the job to the dead-letter exchange."""

    reason: str


def after_failure(error: QueueLabError, attempt: int) -> Retry | GiveUp:
    """Return what to do after the failure of attempt number `attempt`, counted from 1."""
    if isinstance(error, BadMessage):
        return GiveUp(BAD_MESSAGE)
    if isinstance(error, PermanentError):
        return GiveUp(PERMANENT)
    if attempt > len(RETRY_DELAYS_S):
        return GiveUp(ATTEMPTS_SPENT)
    return Retry(RETRY_DELAYS_S[attempt - 1])
