"""Settings of the notifier."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from services.common.settings import BrokerSettings, ProgramSettings, TargetSettings
from services.common.signatures import check_secret


def _secret(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        check_secret(value.get_secret_value())
    return value


class NotifierSettings(ProgramSettings, BrokerSettings, TargetSettings):
    """What the notifier needs to know."""

    webhook_secret: Annotated[SecretStr, AfterValidator(_secret)] = Field(
        default=SecretStr(""),
        description="key that signs webhooks: whsec_ and 24 to 64 bytes as base64; labctl draws one",
    )
    webhook_timeout_s: float = Field(
        default=10, gt=0, le=60, description="how long a receiver may take to answer a webhook, seconds"
    )
    webhook_concurrency: int = Field(default=32, ge=1, le=500, description="webhooks under way at once")
    webhook_concurrency_per_host: int = Field(
        default=4, ge=1, le=500, description="webhooks under way at once to one receiver"
    )
