"""Settings of the worker."""

from __future__ import annotations

from pydantic import Field

from services.common.settings import BrokerSettings, LimitSettings, ProgramSettings, StorageSettings
from services.common.topology import consumed_by
from services.worker.retries import AckPolicy, RetryPolicy


class WorkerSettings(ProgramSettings, BrokerSettings, StorageSettings, LimitSettings):
    """What a worker needs to know."""

    queues: str = Field(
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
        named = tuple(name.strip() for name in self.queues.split(",") if name.strip())
        return named or consumed_by()
