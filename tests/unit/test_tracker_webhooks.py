"""The tracker keeps the delivery log."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from services.common.broker import Outgoing
from services.common.envelopes import attempt_envelope
from services.common.errors import DatabaseUnavailable
from services.common.jobs import JobStore
from services.common.messages import WebhookAttempt
from services.common.testing import MemoryBroker
from services.common.topology import ATTEMPTED, DEAD_LETTER, EVENTS, TRACKER_WEBHOOKS, declarations
from services.tracker import webhooks
from services.tracker.webhooks import WebhookLog
from tests.support.examples import attempt
from tests.support.waiting import eventually


class Failing(JobStore):
    """A database that is away for the first commits."""

    failures = 0

    def note_attempts(self, attempts: Sequence[WebhookAttempt]) -> None:
        """Fail, or write."""
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable
        super().note_attempts(attempts)


@pytest.fixture
def store(tmp_path: Path) -> Failing:
    store = Failing(f"sqlite:///{tmp_path}/lab.db")
    store.create_schema()
    return store


@contextlib.asynccontextmanager
async def logging_to(store: JobStore) -> AsyncIterator[MemoryBroker]:
    async with MemoryBroker(declarations()) as broker:
        running = asyncio.create_task(WebhookLog(broker, store, instance="tracker-1").run())
        try:
            yield broker
        finally:
            running.cancel()
            await asyncio.wait({running})
            store.close()


async def test_attempts_become_rows(store: Failing) -> None:
    """Each record is a row once, and is acknowledged then."""
    made = [attempt("job-1", number) for number in (1, 2, 3)]
    async with logging_to(store) as broker:
        for each in (*made, made[0]):
            await broker.publish(attempt_envelope(each))
        await eventually(lambda: store.attempts("job-1", 10) == made)

        async def empty() -> bool:
            broker.connected = False
            broker.connected = True
            return (await broker.depth(TRACKER_WEBHOOKS)).ready == 0

        await eventually(empty)


async def test_a_database_that_is_away_loses_nothing(store: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records wait until the database answers."""
    monkeypatch.setattr(webhooks, "RETRY_S", 0.01)
    store.failures = 3
    async with logging_to(store) as broker:
        await broker.publish(attempt_envelope(made := attempt("job-1")))
        await eventually(lambda: store.attempts("job-1", 10) == [made])
    assert store.failures == 0


async def test_what_is_no_record_is_buried(store: Failing) -> None:
    """It goes to the dead letters, and the next record is written."""
    async with logging_to(store) as broker:
        await broker.publish(Outgoing(exchange=EVENTS, routing_key=ATTEMPTED, body=b"{}", message_id="m"))
        await broker.publish(attempt_envelope(made := attempt("job-1")))
        await eventually(lambda: store.attempts("job-1", 10) == [made])
        assert (await broker.depth(DEAD_LETTER)).ready == 1
