"""Settings of the tracker."""

from __future__ import annotations

from pydantic import Field

from services.common.settings import BrokerSettings, DatabaseSettings, ProgramSettings


class TrackerSettings(ProgramSettings, BrokerSettings, DatabaseSettings):
    """What the tracker needs to know."""

    commit_batch: int = Field(default=200, ge=1, le=5000, description="events committed together at the most")
