"""The ledger: every job that was sent is accounted for, once.

    attempted = accepted + unknown + rejected
    accepted  = completed + failed + lost + open   (lost: promised with a 202, and no end to be found;
                                                    open: under way when the run was broken off)

An unknown job (no answer, or a 5xx) may have been enqueued. It is sent again under the same key until the API
tells (`resent`); one that stays unknown and ends all the same is `recovered`, never completed.
duplicated: finished by more than one attempt. redelivered: handed out again by the broker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from labkit.load.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Numbers of jobs."""

    attempted: int
    dropped: int = 0
    """Planned and never sent; no part of the books."""
    accepted: int
    rejected: int
    unknown: int
    recovered: int
    resent: int
    completed: int
    failed: int
    failed_by_reason: dict[str, int] = field(default_factory=dict)
    lost: int
    open: int = 0
    duplicated: int
    redelivered: int
    retried: int
    verified: int
    broken: int
    """Results that were downloaded and are not as planned."""

    @property
    def verdict(self) -> bool | None:
        """True: every promise was kept. False: one was broken. None: too little is known to say."""
        if self.lost or self.broken:
            return False
        if self.accepted == 0 or self.open or self.unknown > self.recovered:
            return None
        return self.completed + self.failed == self.accepted


def balance(records: Sequence[Record], *, cut: bool = False) -> Ledger:
    """Return the ledger of a run; `cut`: it was broken off, so jobs without an end are not lost but open."""
    attempted = sum(record.sent_at is not None for record in records)
    accepted = [record for record in records if record.accepted]
    unknown = [record for record in records if record.unknown]
    failed = [record for record in accepted if record.outcome == "failed"]
    endless = sum(not record.outcome for record in accepted)
    return Ledger(
        attempted=attempted,
        dropped=sum(record.dropped for record in records),
        accepted=len(accepted),
        rejected=attempted - len(accepted) - len(unknown),
        unknown=len(unknown),
        resent=sum(record.resent > 0 for record in records),
        recovered=sum(bool(record.outcome) for record in unknown),
        completed=sum(record.outcome == "completed" for record in accepted),
        failed=len(failed),
        failed_by_reason=dict(Counter(record.reason for record in failed)),
        lost=0 if cut else endless,
        open=endless if cut else 0,
        duplicated=sum(len(record.story.completed) > 1 for record in records),
        redelivered=sum(record.story.redelivered for record in records),
        retried=sum(record.story.retried for record in records),
        verified=sum(record.verified is True for record in records),
        broken=sum(record.verified is False for record in records),
    )
