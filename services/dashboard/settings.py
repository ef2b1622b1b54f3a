"""Settings of the dashboard."""

from __future__ import annotations

from pydantic import Field, SecretStr

from services.common.settings import DoorSettings, HttpUrl, Port


class DashboardSettings(DoorSettings):
    """What the dashboard needs to know."""

    port: Port = Field(default=8080, description="HTTP port; 0 picks a free one")
    api_url: HttpUrl = Field(default="http://127.0.0.1:8000", description="URL of the API that it shows")
    dashboard_secret: SecretStr = Field(
        default=SecretStr(""),
        description="signs the cookie of the dashboard; labctl draws one; empty: a new one at each start",
    )
    dashboard_jobs: int = Field(
        default=500, ge=10, le=2000, description="most jobs that the dashboard lists, the newest"
    )
