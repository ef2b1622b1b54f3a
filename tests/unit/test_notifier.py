"""Each finished job is announced once."""

from __future__ import annotations

import asyncio
import logging

import pytest

from services.common import dead_letters
from services.common.broker import Outgoing
from services.common.envelopes import event_envelope
from services.common.errors import StorageUnavailable
from services.common.messages import Event, JobEvent
from services.common.testing import MemoryBroker
from services.common.topology import DEAD_LETTER, EVENTS, NOTIFIER_EVENTS
from services.notifier import notifier as notifying
from services.notifier.notifier import LogChannel, Notification, Notifier
from tests.support.examples import event
from tests.support.waiting import eventually
from tests.support.workshop import RecordingBroker


class Collecting:
    """A channel that keeps what it sends; `go` holds it up, `failures` is how often it fails first."""

    def __init__(self) -> None:
        self.sent: list[Notification] = []
        self.entered = 0
        self.failures = 0
        self.go = asyncio.Event()
        self.go.set()

    async def send(self, notification: Notification) -> None:
        """Keep a notification."""
        self.entered += 1
        await self.go.wait()
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("the receiver is away")
        self.sent.append(notification)


async def _started(*channels: Collecting) -> RecordingBroker:
    broker = RecordingBroker()
    await Notifier(broker, channels, instance="notifier-1").start()
    return broker


async def _publish(broker: MemoryBroker, *events: Event) -> None:
    for happened in events:
        await MemoryBroker.publish(broker, event_envelope(happened))


async def _unacknowledged(broker: MemoryBroker) -> int:
    broker.connected = False
    broker.connected = True
    return (await broker.depth(NOTIFIER_EVENTS)).ready


@pytest.mark.parametrize(
    ("name", "outcome", "code"),
    [("job.completed", "completed", None), ("job.failed", "failed", "broken_image")],
)
async def test_the_end_of_a_job_is_announced(name: JobEvent, outcome: str, code: str | None) -> None:
    """A receiver learns which job ended, how, and when, with an id that stays the same."""
    channel = Collecting()
    async with await _started(channel) as broker:
        await _publish(broker, ended := event(name, generation=2))
        await eventually(lambda: channel.sent)
        assert channel.sent == [Notification(f"{ended.job_id}:2", ended)]
        assert (channel.sent[0].outcome, channel.sent[0].event.error_code) == (outcome, code)


async def test_the_tracker_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A job.notified event follows, with the time in the stage clock; then the event is acknowledged."""
    async with await _started(Collecting()) as broker:
        await _publish(broker, ended := event("job.completed"))
        await eventually(lambda: broker.log == ["job.notified"])
        notified = broker.events()[0]
        assert (notified.name, notified.job_id, notified.attempt) == ("job.notified", ended.job_id, 1)
        assert notified.clock == {**ended.clock, "notified": notified.at}
        assert notified.at > ended.clock["accepted"]
        assert await _unacknowledged(broker) == 0


async def test_a_duplicate_is_not_announced_again() -> None:
    """The broker delivers at least once; a receiver hears of a job once."""
    channel = Collecting()
    async with await _started(channel) as broker:
        await _publish(broker, ended := event("job.completed"), ended, ended)
        await eventually(lambda: len(broker.log) == 3)
        assert len(channel.sent) == 1


async def test_a_duplicate_that_comes_during_the_sending_waits() -> None:
    """Two copies at the same moment are one notification too."""
    channel = Collecting()
    channel.go.clear()
    async with await _started(channel) as broker:
        await _publish(broker, ended := event("job.completed"), ended)
        await eventually(lambda: channel.entered >= 1)
        channel.go.set()
        await eventually(lambda: len(broker.log) == 2)
        assert len(channel.sent) == 1


async def test_a_new_generation_is_announced_again() -> None:
    """A job that was replayed ends again."""
    channel = Collecting()
    async with await _started(channel) as broker:
        first = event("job.failed")
        await _publish(broker, first, event("job.completed", first.job_id, generation=2))
        await eventually(lambda: len(channel.sent) == 2)
        assert [notification.outcome for notification in channel.sent] == ["failed", "completed"]


async def test_a_receiver_that_is_away_is_tried_again() -> None:
    """A notification that did not go out is not taken for sent."""
    channel = Collecting()
    channel.failures = 2
    async with await _started(channel) as broker:
        await _publish(broker, event("job.completed"))
        await eventually(lambda: len(channel.sent) == 1)
        await eventually(lambda: broker.log == ["job.notified"])


async def test_a_bad_event_goes_to_the_dead_letters() -> None:
    """Bytes that are no event are put aside with the reason; the next job is announced."""
    channel = Collecting()
    async with await _started(channel) as broker:
        bad = Outgoing(exchange=EVENTS, routing_key="job.completed", body=b"{}", message_id="bad")
        await MemoryBroker.publish(broker, bad)
        await _publish(broker, event("job.completed"))
        await eventually(lambda: len(channel.sent) == 1)
        async with broker.reading(DEAD_LETTER) as reader:
            delivery = await reader.next()
            assert delivery is not None
            letter = dead_letters.read(delivery, spent=0, now=0)
            assert (letter.reason, letter.origin) == ("bad_message", NOTIFIER_EVENTS)


async def test_the_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notifier that runs for weeks does not grow."""
    monkeypatch.setattr(notifying, "REMEMBERED", 3)
    broker = RecordingBroker()
    notifier = Notifier(broker, (Collecting(),), instance="n")
    async with broker:
        await notifier.start()
        await _publish(broker, *(event("job.completed") for _ in range(10)))
        await eventually(lambda: len(broker.log) == 10)
        assert len(notifier._sent) == 3


async def test_the_log_is_a_channel(caplog: pytest.LogCaptureFixture) -> None:
    """Without any receiver a notification is a line in the log."""
    with caplog.at_level(logging.INFO):
        await LogChannel().send(Notification("j:1", event("job.failed", "j")))
    record = caplog.records[-1]
    assert record.message == "notification_sent"
    assert vars(record)["job_id"] == "j"
    assert vars(record)["notification_id"] == "j:1"
