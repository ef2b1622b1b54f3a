"""A worker's heartbeat, and the faults it follows."""

from __future__ import annotations

import asyncio
import threading

import pytest

from services.common.control import KEY, Faults, announce_faults, write_faults
from services.common.messages import Heartbeat
from services.common.testing import MemoryBroker, MemoryStore
from services.common.topology import HEARTBEAT, declarations
from services.worker import faults as switching
from services.worker import heart as beating
from services.worker.consumer import Consumer
from services.worker.faults import FaultSwitch
from services.worker.heart import Heart
from services.worker.settings import WorkerSettings
from tests.support.examples import text_job
from tests.support.waiting import eventually
from tests.support.workshop import Bench, HeldWorkshop


async def test_a_heartbeat_tells_what_a_worker_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle, busy with which jobs, stopping; and what it has done so far."""
    monkeypatch.setattr(beating, "INTERVAL_S", 0.01)
    bench, held = Bench(), HeldWorkshop()
    consumer = Consumer(bench.broker, held, bench.policy)
    settings = WorkerSettings(instance="worker-3", prefetch=4, queues="image.jobs,text.jobs")

    def latest() -> Heartbeat:
        beats = [message.body for message in bench.broker.published if message.routing_key == HEARTBEAT]
        return Heartbeat.decode(beats[-1])

    async with bench.broker:
        heart = asyncio.create_task(Heart(bench.broker, consumer, settings, "http://h:1").beat_forever())
        await eventually(lambda: HEARTBEAT in bench.broker.log)
        first = latest()
        assert (first.instance, first.state, first.url) == ("worker-3", "idle", "http://h:1")
        assert (first.prefetch, first.queues) == (4, ("image.jobs", "text.jobs"))
        await consumer.start(("text.jobs",))
        await bench.send(sent := text_job())
        await eventually(lambda: latest().state == "busy")
        assert (latest().job_ids, latest().stage) == ((sent.job_id,), "process")
        stopping = asyncio.create_task(consumer.stop())
        await eventually(lambda: latest().state == "stopping")
        held.go.set()
        await stopping
        await eventually(lambda: latest().done == 1)
        assert latest().started_at == first.started_at < latest().at
        heart.cancel()
        await asyncio.gather(heart, return_exceptions=True)


async def test_a_heart_outlives_its_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats that the broker does not get are not missed, and the next one comes."""
    monkeypatch.setattr(beating, "INTERVAL_S", 0.01)
    bench = Bench()
    async with bench.broker:
        heart = Heart(bench.broker, bench.consumer, WorkerSettings(instance="w"), "")
        beats = asyncio.create_task(heart.beat_forever())
        await eventually(lambda: bench.broker.log)
        bench.broker.connected = False
        count = len(bench.broker.log)
        bench.broker.connected = True
        await eventually(lambda: len(bench.broker.log) > count)
        beats.cancel()
        await asyncio.gather(beats, return_exceptions=True)


async def test_faults_are_followed() -> None:
    """A worker knows the faults when it starts, and learns of each change."""
    store = MemoryStore()
    write_faults(store, Faults(fail_rate=0.5))
    async with MemoryBroker(declarations()) as broker:
        switch = FaultSwitch(broker, store)
        await switch.follow()
        assert switch.current.fail_rate == 0.5
        write_faults(store, Faults())
        await announce_faults(broker)
        await eventually(lambda: not switch.current.active)


async def test_a_change_missed_without_a_connection_is_caught_up() -> None:
    """An announcement that came while the broker was away is not needed: the worker reads when it is back."""
    store = MemoryStore()
    async with MemoryBroker(declarations()) as broker:
        switch = FaultSwitch(broker, store)
        await switch.follow()
        broker.connected = False
        write_faults(store, Faults(fail_rate=0.5))
        assert not switch.current.active
        broker.connected = True
        await eventually(lambda: switch.current.fail_rate == 0.5)


async def test_faults_that_cannot_be_read_change_nothing() -> None:
    """A broken object is logged; the faults in force stay."""
    store = MemoryStore()
    write_faults(store, Faults(fail_rate=0.5))
    async with MemoryBroker(declarations()) as broker:
        switch = FaultSwitch(broker, store)
        await switch.follow()
        store.objects[KEY] = (b"{", "application/json")
        await switch._read()
        assert switch.current.fail_rate == 0.5


async def test_a_store_that_is_away_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that starts before its store waits for it."""
    monkeypatch.setattr(switching, "RETRY_S", 0.01)
    store = MemoryStore()
    write_faults(store, Faults(fail_rate=0.5))
    store.available = False
    async with MemoryBroker(declarations()) as broker:
        switch = FaultSwitch(broker, store)
        following = asyncio.create_task(switch.follow())
        await eventually(lambda: not following.done())
        store.available = True
        await following
        assert switch.current.fail_rate == 0.5


async def test_the_last_change_wins() -> None:
    """Two changes in quick succession are read one after the other, however slow the store is."""
    go = threading.Event()

    class SlowStore(MemoryStore):
        reads = 0

        def get(self, key: str) -> bytes:
            found = super().get(key)
            self.reads += 1
            if self.reads == 1:
                go.wait(10)
            return found

    store = SlowStore()
    write_faults(store, Faults(fail_rate=0.1))
    async with MemoryBroker(declarations()) as broker:
        switch = FaultSwitch(broker, store)
        following = asyncio.create_task(switch.follow())
        await eventually(lambda: store.reads == 1)
        write_faults(store, Faults(fail_rate=0.9))
        await announce_faults(broker)
        go.set()
        await following
        await eventually(lambda: switch.current.fail_rate == 0.9)
        assert store.reads > 1
