"""`python -m services.worker`: take jobs from the work queues and do them."""

from __future__ import annotations

import asyncio
import sys

from starlette.applications import Starlette

from services.common.connect import open_broker, open_store
from services.common.health import blocking_check, broker_check, health_routes
from services.common.program import read, run, serving
from services.worker.consumer import Consumer, Policy
from services.worker.faults import FaultSwitch
from services.worker.heart import Heart
from services.worker.quiet import silence_libtiff
from services.worker.settings import WorkerSettings
from services.worker.work import Workshop


async def work(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """Work until `stop` is set, then finish what is in hand."""
    store = open_store(settings)
    broker = open_broker(settings, settings.instance)
    faults = FaultSwitch(broker, store)
    workshop = Workshop(
        store,
        faults,
        max_pixels=settings.max_pixels,
        max_processing_time_s=settings.max_processing_time_s,
        concurrency=settings.concurrency,
    )
    checks = {"broker": broker_check(broker), "storage": blocking_check(store.ping, settings.s3_endpoint)}
    app = Starlette(routes=health_routes(checks))
    async with broker, serving(app, settings) as url:
        policy = Policy(
            instance=settings.instance,
            prefetch=settings.prefetch,
            concurrency=settings.concurrency,
            retry=settings.retry,
            ack=settings.ack,
        )
        consumer = Consumer(broker, workshop, policy)
        heart = asyncio.create_task(Heart(broker, consumer, settings, url).beat_forever())
        beginning = asyncio.create_task(begin(faults, consumer, settings))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({beginning, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if beginning.done():
            beginning.result()  # a worker that cannot begin ends, and says why
            await stopping
        beginning.cancel()
        await consumer.stop()
        workshop.close()
        heart.cancel()
        await asyncio.gather(heart, beginning, return_exceptions=True)


async def begin(faults: FaultSwitch, consumer: Consumer, settings: WorkerSettings) -> None:
    """Know the faults in force before the first job comes."""
    await faults.follow()
    await consumer.start(settings.consumed)


def main() -> int:
    """Read the settings and run."""
    settings = read(WorkerSettings, "worker")
    silence_libtiff()
    return run(settings, "worker", lambda stop: work(settings, stop))


if __name__ == "__main__":
    sys.exit(main())
