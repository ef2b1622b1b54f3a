"""Settings of the worker."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from services.common.settings import BrokerSettings, LimitSettings, ProgramSettings, StorageSettings
from services.common.topology import WORK_QUEUES, consumed_by
from services.worker.retries import AckPolicy, RetryPolicy


def _names(queues: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in queues.split(",") if name.strip())


def _known(queues: str) -> str:
    for name in _names(queues):
        if name not in WORK_QUEUES:
            raise ValueError(f"there is no work queue {name}; known are {', '.join(WORK_QUEUES)}")
    return queues


class WorkerSettings(ProgramSettings, BrokerSettings, StorageSettings, LimitSettings):
    """What a worker needs to know."""

    queues: Annotated[str, AfterValidator(_known)] = Field(
        default="", description="work queues to consume, separated by commas; empty: all, of both layouts"
    )
    prefetch: int = Field(
        default=1,
        ge=0,
        le=10_000,
        description="unacknowledged messages that each queue may hand out to a worker; 0: no limit",
    )
    concurrency: int = Field(default=1, ge=1, le=64, description="jobs worked on at once in one worker")
    retry: RetryPolicy = Field(
        default="delayed",
        description="after a transient error: delayed (retry queues), requeue (at once), none (dead letter)",
    )
    ack: AckPolicy = Field(
        default="late", description="when to acknowledge: late (after the work), early (before: loses jobs)"
    )

    @property
    def consumed(self) -> tuple[str, ...]:
        """The work queues to consume."""
        return _names(self.queues) or consumed_by()
