"""What becomes of a failed attempt: a pure decision.

A transient fault is tried again after 1, 5 and 15 s; when these are used up, or when the fault is
permanent, the job goes to the dead-letter queue.

Two other policies exist to be compared with this one. `none` dead-letters at the first fault. `requeue` gives
the message back with `basic.nack`: it comes again at once, RabbitMQ 3.10 stops that at the delivery limit,
and 4.3 does not count it, so a job that always fails then loops for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.common.dead_letters import ATTEMPTS_SPENT, BAD_MESSAGE, PERMANENT
from services.common.errors import BadMessage, PermanentError, QueueLabError
from services.common.topology import RETRY_DELAYS_S

RetryPolicy = Literal["delayed", "requeue", "none"]
AckPolicy = Literal["late", "early"]


@dataclass(frozen=True, slots=True)
class Retry:
    """Publish the job to the retry queue of this delay."""

    delay_s: int


@dataclass(frozen=True, slots=True)
class Requeue:
    """Give the message back to its queue at once."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Publish the job to the dead-letter exchange."""

    reason: str


def after_failure(
    error: QueueLabError, attempt: int, policy: RetryPolicy = "delayed"
) -> Retry | Requeue | GiveUp:
    """Return what to do after the failure of attempt number `attempt`, counted from 1."""
    if isinstance(error, BadMessage):
        return GiveUp(BAD_MESSAGE)
    if isinstance(error, PermanentError):
        return GiveUp(PERMANENT)
    if policy == "requeue":
        return Requeue()
    if policy == "none" or attempt > len(RETRY_DELAYS_S):
        return GiveUp(ATTEMPTS_SPENT)
    return Retry(RETRY_DELAYS_S[attempt - 1])
