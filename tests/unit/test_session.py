"""A load run waits for its own jobs, and for nobody else's."""

from __future__ import annotations

import asyncio
import itertools

from labkit.load.collector import Collector
from labkit.load.session import Session
from services.common.envelopes import event_envelope
from services.common.messages import Event
from services.common.testing import MemoryBroker
from services.common.topology import declarations, run_queue
from tests.support.examples import event
from tests.support.waiting import eventually


def _session(collector: Collector, stall_s: float) -> Session:
    collector.expect("mine")
    session = Session("http://127.0.0.1:1", lambda: MemoryBroker(declarations()), stall_s=stall_s)
    session._collector = collector
    return session


async def _publish(broker: MemoryBroker, *events: Event) -> None:
    for happened in events:
        await broker.publish(event_envelope(happened))


async def test_a_run_ends_with_its_last_job() -> None:
    """As soon as every accepted job has an end, the wait is over."""
    collector = Collector()
    async with MemoryBroker(declarations()) as broker, collector.collecting(broker, "r"):
        waiting = asyncio.create_task(_session(collector, 60)._wait())
        await _publish(broker, event("job.started", "mine"), event("job.completed", "mine"))
        async with asyncio.timeout(5):
            await waiting


async def test_a_job_without_an_end_is_not_waited_for_for_ever() -> None:
    """Events of other runs do not keep a stalled run waiting."""
    collector = Collector()
    numbers = itertools.count(1)

    async def talk(broker: MemoryBroker) -> None:
        while True:
            await _publish(broker, event("job.completed", "other", generation=next(numbers)))
            await asyncio.sleep(0.01)

    async with MemoryBroker(declarations()) as broker, collector.collecting(broker, "r"):
        talking = asyncio.create_task(talk(broker))
        await eventually(lambda: collector.story("other").ended)
        async with asyncio.timeout(5):
            await _session(collector, 0.2)._wait()
        assert (collector.open, collector.ended) == (1, 0)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)


async def test_a_runs_queue_goes_with_the_run() -> None:
    """What was collected stays, the queue does not; bytes that are no event are counted."""
    collector = Collector()
    collector.expect("mine")
    async with MemoryBroker(declarations()) as broker:
        async with collector.collecting(broker, "r"):
            happened = event_envelope(event("job.completed", "mine"))
            await broker.publish(happened)
            await broker.publish(type(happened)(exchange="", routing_key="run.r", body=b"x", message_id="x"))
            await eventually(lambda: collector.refused == 1 and collector.ended == 1)
        assert run_queue("r").name not in broker._queues
