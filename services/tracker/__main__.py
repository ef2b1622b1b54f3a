"""`python -m services.tracker`: keep the job table from events."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys

from starlette.applications import Starlette

from services.common.connect import open_broker
from services.common.errors import DatabaseUnavailable
from services.common.health import blocking_check, health_routes, settled_check
from services.common.jobs import JobStore
from services.common.program import read, run, serving
from services.common.roster import ListeningRoster
from services.tracker.settings import TrackerSettings
from services.tracker.targets import targets_route
from services.tracker.tracker import RETRY_S, Tracker
from services.tracker.webhooks import WebhookLog

log = logging.getLogger(__name__)


async def create_schema(store: JobStore) -> None:
    """Make the job table, as soon as the database answers."""
    while True:
        try:
            await asyncio.to_thread(store.create_schema)
        except DatabaseUnavailable as error:
            log.warning("events_delayed", extra={"error": str(error)})
            await asyncio.sleep(RETRY_S)
        else:
            return


async def track(settings: TrackerSettings, stop: asyncio.Event) -> None:
    """Track until `stop` is set; what is not yet committed stays with the broker."""
    store = JobStore(settings.database_url.get_secret_value())
    broker = open_broker(settings, settings.instance)
    checks = {
        "broker": settled_check(broker),
        "database": blocking_check(store.ping, "the job table answers"),
    }
    roster = ListeningRoster(broker)
    app = Starlette(routes=[*health_routes(checks), targets_route(roster)])
    async with broker, serving(app, settings), roster:
        tracker = Tracker(broker, store, instance=settings.instance, batch=settings.commit_batch)

        webhooks = WebhookLog(broker, store, instance=settings.instance)

        async def keep() -> None:
            await create_schema(store)
            await tracker.start()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(tracker.run())
                tasks.create_task(webhooks.run())

        keeping = asyncio.create_task(keep())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if keeping.done():
            keeping.result()  # it never ends by itself: this raises what ended it
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
    store.close()


def main() -> int:
    """Read the settings and run."""
    settings = read(TrackerSettings, "tracker")
    return run(settings, "tracker", lambda stop: track(settings, stop))


if __name__ == "__main__":
    sys.exit(main())
