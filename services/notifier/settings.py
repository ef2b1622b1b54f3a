"""Settings of the notifier."""

from __future__ import annotations

from services.common.settings import BrokerSettings, ProgramSettings


class NotifierSettings(ProgramSettings, BrokerSettings):
    """What the notifier needs to know."""
