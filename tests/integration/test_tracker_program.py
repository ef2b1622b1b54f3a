"""The tracker as a real process: the table is kept, whatever happens meanwhile."""

from __future__ import annotations

from services.common.amqp import AmqpBroker
from services.common.envelopes import event_envelope, job_envelope
from services.common.jobs import JobStore
from services.common.messages import Job
from services.common.topology import DEAD_LETTER, TRACKER_EVENTS
from tests.support.brokers import ready
from tests.support.examples import event, text_job
from tests.support.programs import check_lines, connected, healthy
from tests.support.waiting import eventually


async def test_a_tracker_keeps_the_table(environment: dict[str, str]) -> None:
    """Events become rows, dead letters failed jobs; what happened while it was down is caught up."""
    table = JobStore(environment["LAB_DATABASE_URL"])
    one, two, dead = event("job.completed"), event("job.started"), text_job()
    async with connected(environment) as broker:
        async with healthy("tracker", environment) as tracker:
            await broker.publish(event_envelope(one))
            await eventually(lambda: table.get(one.job_id))
            assert await tracker.end() == 0
            check_lines(tracker)
        await broker.publish(event_envelope(two))
        await _crash(broker, dead)
        async with healthy("tracker", environment) as tracker:
            await eventually(lambda: (row := table.get(dead.job_id)) and row.status == "failed")
            row = table.get(dead.job_id)
            assert row is not None
            assert (row.reason, row.queue) == ("delivery_limit", "text.jobs")
            found = table.get(two.job_id)
            assert found is not None
            assert found.status == "processing"
            await tracker.end()
        await ready(broker, TRACKER_EVENTS, 0)
    table.close()


async def _crash(broker: AmqpBroker, poison: Job) -> None:
    """Have a job come back until the broker gives it up."""

    async def crash(_: object) -> None:
        raise RuntimeError("the worker died")

    subscription = await broker.consume("text.jobs", crash, prefetch=1)
    await broker.publish(job_envelope(poison, "text.jobs"))
    await ready(broker, DEAD_LETTER, 1)
    await subscription.cancel()
