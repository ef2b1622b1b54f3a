"""`python -m services.notifier`: announce finished jobs."""

from __future__ import annotations

import asyncio
import sys

from starlette.applications import Starlette

from services.common.connect import open_broker
from services.common.health import broker_check, health_routes
from services.common.program import read, run, serving
from services.notifier.notifier import LogChannel, Notifier
from services.notifier.settings import NotifierSettings


async def notify(settings: NotifierSettings, stop: asyncio.Event) -> None:
    """Notify until `stop` is set."""
    broker = open_broker(settings, settings.instance)
    app = Starlette(routes=health_routes({"broker": broker_check(broker)}))
    async with broker, serving(app, settings):
        await Notifier(broker, (LogChannel(),), instance=settings.instance).start()
        await stop.wait()


def main() -> int:
    """Read the settings and run."""
    settings = read(NotifierSettings, "notifier")
    return run(settings, "notifier", lambda stop: notify(settings, stop))


if __name__ == "__main__":
    sys.exit(main())
