"""The whole topology on a real RabbitMQ: what is declared routes as it should."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from services.common.amqp import AmqpBroker
from services.common.broker import Outgoing
from services.common.envelopes import event_envelope, job_envelope
from services.common.errors import BrokerUnavailable
from services.common.messages import STATUS_AFTER
from services.common.topology import (
    DEAD,
    DEAD_LETTER,
    NOTIFIER_EVENTS,
    TRACKER_DEAD,
    TRACKER_EVENTS,
    WORK_QUEUES,
    Declarations,
    declarations,
    retry_queue,
    run_queue,
)
from tests.support.backing import Backing
from tests.support.brokers import READY_S, Inbox, ready
from tests.support.examples import event, new_id, text_job
from tests.support.waiting import eventually


@contextlib.asynccontextmanager
async def _connected(backing: Backing, topology: Declarations | None = None) -> AsyncIterator[AmqpBroker]:
    async with AmqpBroker(backing.amqp_url, name="test", topology=topology or declarations()) as broker:
        await broker.ready(READY_S)
        yield broker


async def test_several_programs_declare_the_same(empty_queues: Backing) -> None:
    """Programs that connect at once agree on every queue; all of them are there."""
    async with _connected(empty_queues) as one, _connected(empty_queues) as two:
        assert one.version == two.version != ""
        depths = await asyncio.gather(*(two.depth(queue.name) for queue in declarations().queues))
        assert all((depth.ready, depth.consumers) == (0, 0) for depth in depths)


async def test_a_declaration_that_differs_is_refused(empty_queues: Backing) -> None:
    """A program with other ideas about a queue does not come up, and says why."""
    work = next(queue for queue in declarations().queues if queue.name == "text.jobs")
    other = replace(work, arguments={**work.arguments, "x-delivery-limit": 99})
    topology = Declarations(declarations().exchanges, (other,))
    async with AmqpBroker(empty_queues.amqp_url, name="test", topology=topology) as broker:
        with pytest.raises(BrokerUnavailable):
            await broker.ready(1)


async def test_each_work_queue_gets_its_jobs(empty_queues: Backing) -> None:
    """A job goes to the queue whose name it carries, and to no other."""
    async with _connected(empty_queues) as broker:
        for name in WORK_QUEUES:
            await broker.publish(job_envelope(text_job(), name))
        for name in WORK_QUEUES:
            await ready(broker, name, 1)


async def test_jobs_return_from_the_retry_queues(empty_queues: Backing) -> None:
    """After its delay each job is back in the work queue that it came from."""
    async with _connected(empty_queues) as broker:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for name in WORK_QUEUES:
            await broker.publish(job_envelope(text_job(), retry_queue(name, 1)))
        for name in WORK_QUEUES:
            await ready(broker, name, 1)
        assert loop.time() - begun >= 1


async def test_a_longer_delay_does_not_hold_up_a_shorter_one(empty_queues: Backing) -> None:
    """Each delay has a queue of its own: a job that waits 15 s is not in the way of one that waits 1 s."""
    async with _connected(empty_queues) as broker:
        await broker.publish(job_envelope(text_job(), retry_queue("text.jobs", 15)))
        await broker.publish(job_envelope(text_job(), retry_queue("text.jobs", 1)))
        await ready(broker, "text.jobs", 1)
        assert (await broker.depth(retry_queue("text.jobs", 15))).ready == 1


async def test_dead_letters_reach_people_and_the_tracker(empty_queues: Backing) -> None:
    """Whatever the routing key, both queues get a copy."""
    async with _connected(empty_queues) as broker:
        letter = Outgoing(exchange=DEAD, routing_key="anything", body=b"{}", message_id="x", mandatory=True)
        await broker.publish(letter)
        await ready(broker, DEAD_LETTER, 1)
        await ready(broker, TRACKER_DEAD, 1)


async def test_events_reach_their_subscribers(empty_queues: Backing) -> None:
    """The tracker gets all six, the notifier the two ends, a run a copy of all."""
    names = (*STATUS_AFTER, "job.notified")
    run = run_queue(new_id())
    async with _connected(empty_queues) as broker:
        inbox = Inbox()
        subscription = await broker.consume(run, inbox, prefetch=100)
        for name in names:
            await broker.publish(event_envelope(event(name)))
        await ready(broker, TRACKER_EVENTS, 6)
        await ready(broker, NOTIFIER_EVENTS, 2)
        await eventually(lambda: len(inbox) == 6)
        assert [delivery.routing_key for delivery in inbox.deliveries] == list(names)
        await subscription.cancel()
        await broker.delete(run.name)


async def test_one_tracker_is_served_at_a_time(empty_queues: Backing) -> None:
    """With two trackers one gets all events, in their order; the other takes over when it leaves."""
    events = [event("job.started", attempt=number) for number in range(1, 11)]
    async with _connected(empty_queues) as one, _connected(empty_queues) as two:
        first, second = Inbox(), Inbox()
        active = await one.consume(TRACKER_EVENTS, first, prefetch=100)
        await two.consume(TRACKER_EVENTS, second, prefetch=100)
        for happened in events:
            await one.publish(event_envelope(happened))
        await eventually(lambda: len(first) == 10)
        assert first.bodies == [happened.encode() for happened in events]
        assert len(second) == 0
        await active.cancel()
        await one.publish(event_envelope(event("job.completed")))
        await eventually(lambda: len(second) == 1)
