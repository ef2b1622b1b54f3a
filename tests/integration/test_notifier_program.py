"""The notifier as a real process."""

from __future__ import annotations

from services.common.envelopes import event_envelope
from services.common.topology import EVENTS, NOTIFIER_EVENTS
from tests.support.brokers import Inbox, ready
from tests.support.examples import event
from tests.support.programs import check_lines, connected, healthy
from tests.support.waiting import eventually


async def test_a_notifier_announces_once(environment: dict[str, str]) -> None:
    """A duplicate event is one notification; the tracker is told."""
    async with connected(environment) as broker, healthy("notifier", environment) as notifier:
        inbox = Inbox()
        await broker.listen(EVENTS, ("job.notified",), inbox)
        ended = event("job.completed")
        for _ in range(3):
            await broker.publish(event_envelope(ended))
        await broker.publish(event_envelope(event("job.failed")))
        await eventually(lambda: notifier.events().count("notification_sent") == 2)
        await eventually(lambda: len(inbox) == 4)
        assert await notifier.end() == 0
        check_lines(notifier)
        assert notifier.events().count("notification_sent") == 2
        await ready(broker, NOTIFIER_EVENTS, 0)
