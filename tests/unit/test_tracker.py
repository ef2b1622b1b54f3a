"""Events to rows, dead letters to failed jobs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from services.common import dead_letters
from services.common.broker import Outgoing
from services.common.confirms import failed
from services.common.envelopes import event_envelope, job_envelope
from services.common.errors import BrokerUnavailable, DatabaseUnavailable
from services.common.jobs import JobRow, JobStore
from services.common.messages import Changes, Event, Job
from services.common.testing import MemoryBroker
from services.common.topology import CHANGED, DEAD, DEAD_LETTER, TRACKER_DEAD, TRACKER_EVENTS
from services.tracker import tracker as tracking
from services.tracker.tracker import Tracker
from tests.support.examples import event, job, text_job
from tests.support.waiting import eventually
from tests.support.workshop import RecordingBroker


class CountingStore(JobStore):
    """A job table that notes its commits, and is away for as many calls as it is told."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.commits: list[int] = []
        self.away = 0

    def apply(self, events: Sequence[Event]) -> Changes:
        """Apply events, unless it is away."""
        if self.away:
            self.away -= 1
            raise DatabaseUnavailable
        self.commits.append(len(events))
        return super().apply(events)


class Hesitating(RecordingBroker):
    """A broker that leaves so many messages to live clients without a confirm as it is told."""

    refusals = 0

    def publish(self, message: Outgoing) -> asyncio.Future[None]:
        """Publish, unless this one is to fail."""
        if self.refusals and message.routing_key == CHANGED:
            self.refusals -= 1
            return failed(BrokerUnavailable("no confirm"))
        return super().publish(message)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CountingStore]:
    """Give an empty job table."""
    made = CountingStore(f"sqlite:///{tmp_path}/lab.db")
    made.create_schema()
    yield made
    made.close()


@contextlib.asynccontextmanager
async def _tracking(store: JobStore, batch: int = 100) -> AsyncIterator[Hesitating]:
    broker = Hesitating()
    tracker = Tracker(broker, store, instance="tracker-1", batch=batch)
    async with broker:
        committing = asyncio.create_task(tracker.run())
        await tracker.start()
        try:
            yield broker
        finally:
            committing.cancel()
            await asyncio.gather(committing, return_exceptions=True)


async def _publish(broker: MemoryBroker, *events: Event) -> None:
    for happened in events:
        await MemoryBroker.publish(broker, event_envelope(happened))


async def _row(store: JobStore, job_id: str, status: str) -> JobRow:
    await eventually(lambda: (row := store.get(job_id)) and row.status == status)
    row = store.get(job_id)
    assert row is not None
    return row


async def test_events_become_rows(store: CountingStore) -> None:
    """What happened to a job is in the table, and its events are acknowledged."""
    async with _tracking(store) as broker:
        started = event("job.started")
        await _publish(broker, started, event("job.completed", started.job_id))
        await _row(store, started.job_id, "completed")
        broker.connected = False  # what is unacknowledged goes back now
        broker.connected = True
        assert (await broker.depth(TRACKER_EVENTS)).ready == 0


async def test_live_clients_are_told_of_each_change(store: CountingStore) -> None:
    """One message a commit has all rows that moved, with their seq, and none for events without effect."""
    async with _tracking(store) as broker:
        await eventually(lambda: _told(broker) == [Changes()])  # how far the table is, first of all
        started = event("job.started")
        await _publish(broker, started)
        await eventually(lambda: len(broker.log) == 2)
        await _publish(broker, started, event("job.completed", started.job_id))
        await eventually(lambda: len(broker.log) == 3)
        _, first, second = _told(broker)
        assert [(row.status, row.job_id) for row in first.rows] == [("processing", started.job_id)]
        assert [(row.status, row.job_id) for row in second.rows] == [("completed", started.job_id)]
        assert second.after == first.rows[0].seq < second.rows[0].seq


async def test_what_an_earlier_tracker_did_not_tell_is_made_up_for(store: CountingStore) -> None:
    """One that died between a commit and its message is followed by one that says how far the table is."""
    [change] = store.apply([event("job.started")]).rows
    async with _tracking(store) as broker:
        await eventually(lambda: _told(broker) == [Changes(after=change.seq)])


async def test_what_could_not_be_told_is_made_up_for(
    store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that the broker does not confirm is told of again, as soon as there is a connection."""
    monkeypatch.setattr(tracking, "RETRY_S", 0.01)
    async with _tracking(store) as broker:
        await eventually(lambda: broker.log == ["job.changed"])
        broker.refusals = 3
        await _publish(broker, event("job.started"))
        await eventually(lambda: broker.refusals == 0)
        await eventually(lambda: len(broker.log) == 2)
        assert _told(broker)[-1] == Changes(after=store.last_seq())


async def test_events_are_committed_in_batches(store: CountingStore) -> None:
    """Under load a commit has many events, but not more than it may."""
    async with _tracking(store, batch=10) as broker:
        events = [event("job.started") for _ in range(35)]
        await _publish(broker, *events)
        await eventually(lambda: sum(store.commits) == 35)
        assert max(store.commits) <= 10
        assert len(store.commits) < 35


async def test_events_wait_for_the_database(store: CountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the table does not answer nothing is acknowledged and nothing is lost."""
    monkeypatch.setattr(tracking, "RETRY_S", 0.01)
    store.away = 3
    async with _tracking(store) as broker:
        await _publish(broker, happened := event("job.completed"))
        await _row(store, happened.job_id, "completed")
        assert store.away == 0


async def test_a_bad_event_goes_to_the_dead_letters(store: CountingStore) -> None:
    """Bytes that are no event are put aside with the reason; the next event counts."""
    async with _tracking(store) as broker:
        bad = event_envelope(event("job.started"))
        await MemoryBroker.publish(broker, _with_body(bad, b"\xff"))
        await _publish(broker, good := event("job.completed"))
        await _row(store, good.job_id, "completed")
        async with broker.reading(DEAD_LETTER) as reader:
            delivery = await reader.next()
            assert delivery is not None
            letter = dead_letters.read(delivery, spent=0, now=0)
            assert (letter.reason, letter.origin) == ("bad_message", TRACKER_EVENTS)
            assert (delivery.body, letter.worker) == (b"\xff", "tracker-1")


async def test_a_bad_event_about_a_job_does_not_end_the_job(store: CountingStore) -> None:
    """An event of a kind that is not known here has a job's id too; the job itself is fine."""
    async with _tracking(store) as broker:
        await _publish(broker, started := event("job.started"))
        odd = event_envelope(started)
        await MemoryBroker.publish(broker, _with_body(odd, odd.body.replace(b"job.started", b"job.eaten")))
        await _until_buried(broker)
        await _publish(broker, event("job.retrying", started.job_id))
        await _row(store, started.job_id, "retrying")


async def test_a_dead_letter_fails_its_job(store: CountingStore) -> None:
    """A job that a worker gave up on is failed, with reason, code and words."""
    async with _tracking(store) as broker:
        sent = job(attempt=3)
        letter = dead_letters.DeadLetter(
            reason="attempts_spent",
            error_code="storage_unavailable",
            error_message="no answer",
            attempt=4,
            origin="image.jobs",
            worker="worker-7",
            at=1234.5,
            started=1234.0,
        )
        await MemoryBroker.publish(broker, _dead(sent, letter.headers()))
        row = await _row(store, sent.job_id, "failed")
        assert (row.reason, row.error_code, row.error_message) == (
            "attempts_spent",
            "storage_unavailable",
            "no answer",
        )
        assert (row.attempt, row.worker, row.queue) == (4, "worker-7", "image.jobs")
        assert (row.clock["started"], row.clock["finished"]) == (1234.0, 1234.5)
        assert (row.operations, row.filename) == (sent.operations, sent.filename)


async def test_a_crash_loop_fails_its_job(store: CountingStore) -> None:
    """When the broker gives up, the tracker says so: the reason is the delivery limit."""
    async with _tracking(store) as broker:
        deliveries: list[int] = []

        async def crash(delivery: object) -> None:
            deliveries.append(1)
            raise RuntimeError("the worker died")

        await broker.consume("text.jobs", crash, prefetch=1)
        sent = text_job(attempt=1)
        await MemoryBroker.publish(broker, job_envelope(sent, "text.jobs"))
        row = await _row(store, sent.job_id, "failed")
        assert (row.reason, row.error_code, row.queue) == ("delivery_limit", "delivery_limit", "text.jobs")
        assert row.attempt == 1 + len(deliveries) == 7


async def test_a_dead_letter_that_is_no_job_is_left_to_people(store: CountingStore) -> None:
    """The tracker takes it off its own queue; in the dead-letter queue it stays."""
    async with _tracking(store) as broker:
        for body in (b"not a job", b'{"job_id": "../x", "kind": "text"}'):
            await MemoryBroker.publish(broker, _dead(text_job(), {}, body))
        await eventually(lambda: _ready(broker, DEAD_LETTER, 2))
        broker.connected = False
        broker.connected = True
        assert (await broker.depth(TRACKER_DEAD)).ready == 0
        assert set(broker.log) <= {"job.changed"}


@pytest.mark.parametrize(
    "headers", [{"reason": "x", "attempt": 0}, {"reason": "x", "at": "nan"}, {}], ids=str
)
async def test_odd_headers_still_fail_the_job(store: CountingStore, headers: dict[str, object]) -> None:
    """A dead letter that somebody wrote by hand cannot stop the tracker."""
    async with _tracking(store) as broker:
        sent = text_job()
        await MemoryBroker.publish(broker, _dead(sent, headers))
        assert (await _row(store, sent.job_id, "failed")).attempt == 1


async def test_a_failure_waits_for_its_confirm(store: CountingStore) -> None:
    """A dead letter is acknowledged when the event about it is safe."""
    async with _tracking(store) as broker:
        sent = text_job()
        await MemoryBroker.publish(broker, _dead(sent, {}))
        broker.connected = False
        broker.connected = True
        await _row(store, sent.job_id, "failed")


def _told(broker: RecordingBroker) -> list[Changes]:
    return [Changes.decode(message.body) for message in broker.published]


def _dead(sent: Job, headers: dict[str, object], body: bytes | None = None) -> Outgoing:
    return Outgoing(
        exchange=DEAD,
        routing_key="image.jobs",
        body=sent.encode() if body is None else body,
        message_id=sent.job_id,
        headers=headers,
    )


def _with_body(message: Outgoing, body: bytes) -> Outgoing:
    return Outgoing(
        exchange=message.exchange, routing_key=message.routing_key, body=body, message_id=message.message_id
    )


async def _ready(broker: MemoryBroker, queue: str, count: int) -> bool:
    return (await broker.depth(queue)).ready == count


async def _until_buried(broker: MemoryBroker) -> None:
    await eventually(lambda: _ready(broker, DEAD_LETTER, 1))
    await eventually(lambda: _ready(broker, TRACKER_DEAD, 0))
