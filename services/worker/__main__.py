"""`python -m services.worker`: take jobs from the work queues and do them."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from starlette.applications import Starlette

from services.common.connect import open_broker, open_store
from services.common.health import blocking_check, broker_check, health_routes
from services.common.program import read, run, serving
from services.worker.consumer import Consumer
from services.worker.heart import Heart
from services.worker.settings import WorkerSettings
from services.worker.work import Workshop


async def work(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """Work until `stop` is set, then finish what is in hand."""
    store = open_store(settings)
    broker = open_broker(settings, settings.instance)
    workshop = Workshop(
        store,
        max_pixels=settings.max_pixels,
        max_processing_time_s=settings.max_processing_time_s,
        concurrency=settings.concurrency,
    )
    checks = {"broker": broker_check(broker), "storage": blocking_check(store.ping, settings.s3_endpoint)}
    app = Starlette(routes=health_routes(checks))
    async with broker, serving(app, settings) as url:
        consumer = Consumer(
            broker,
            workshop,
            instance=settings.instance,
            prefetch=settings.prefetch,
            concurrency=settings.concurrency,
        )
        heart = asyncio.create_task(Heart(broker, consumer, settings, url).beat_forever())
        await consumer.start(settings.consumed)
        await stop.wait()
        await consumer.stop()
        workshop.close()
        heart.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await heart


def main() -> int:
    """Read the settings and run."""
    settings = read(WorkerSettings, "worker")
    return run(settings, "worker", lambda stop: work(settings, stop))


if __name__ == "__main__":
    sys.exit(main())
