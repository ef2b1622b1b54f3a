"""`python -m services.dashboard`: the pipeline in a browser."""

from __future__ import annotations

import asyncio
import sys

from services.common.program import read, run, serving
from services.dashboard.app import build
from services.dashboard.client import Api, open_session
from services.dashboard.hub import Hubs
from services.dashboard.settings import DashboardSettings


async def serve(settings: DashboardSettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    async with open_session() as session:
        api = Api(session, settings.api_url)
        async with Hubs(settings.dashboard_jobs) as hubs:
            app = build(settings, api, hubs)
            async with app.router.lifespan_context(app), serving(app, settings):
                await stop.wait()


def main() -> int:
    """Read the settings and run."""
    settings = read(DashboardSettings, "dashboard")
    return run(settings, "dashboard", lambda stop: serve(settings, stop))


if __name__ == "__main__":
    sys.exit(main())
