"""`python -m services.notifier`: announce finished jobs."""

from __future__ import annotations

import asyncio
import sys

from starlette.applications import Starlette

from services.common.connect import open_broker
from services.common.health import broker_check, health_routes
from services.common.program import read, run, serving
from services.notifier.courier import Courier
from services.notifier.notifier import LogChannel, Notifier
from services.notifier.poster import HttpPoster
from services.notifier.settings import NotifierSettings
from services.notifier.webhooks import WebhookChannel


async def notify(settings: NotifierSettings, stop: asyncio.Event) -> None:
    """Notify until `stop` is set."""
    broker = open_broker(settings, settings.instance)
    app = Starlette(routes=health_routes({"broker": broker_check(broker)}))
    poster = HttpPoster(
        settings.webhook_secret.get_secret_value(),
        timeout_s=settings.webhook_timeout_s,
        allow_private=settings.webhook_allow_private,
    )
    courier = Courier(
        broker,
        poster,
        at_once=settings.webhook_concurrency,
        per_host=settings.webhook_concurrency_per_host,
        instance=settings.instance,
    )
    channels = (WebhookChannel(broker), LogChannel())
    async with broker, poster, serving(app, settings):
        await Notifier(broker, channels, instance=settings.instance).start()
        await courier.start()
        await stop.wait()
        await courier.stop()


def main() -> int:
    """Read the settings and run."""
    settings = read(NotifierSettings, "notifier")
    return run(settings, "notifier", lambda stop: notify(settings, stop))


if __name__ == "__main__":
    sys.exit(main())
