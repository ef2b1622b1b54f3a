"""Webhooks from their queue to their receivers: the ladder, the lanes, and what is told to the tracker."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from services.common.broker import Outgoing
from services.common.envelopes import event_envelope, webhook_envelope
from services.common.messages import Event, Webhook, WebhookAttempt
from services.common.testing import MemoryBroker
from services.common.topology import (
    ATTEMPTED,
    DEAD_LETTER,
    NOTIFIER_WEBHOOKS,
    WEBHOOKS,
    retry_queue,
)
from services.notifier.courier import IN_LINE, Courier
from services.notifier.notifier import LogChannel, Notification, Notifier
from services.notifier.poster import HttpPoster, Posted
from services.notifier.webhooks import WebhookChannel, webhook_of
from tests.support.examples import event
from tests.support.receiver import SECRET
from tests.support.waiting import eventually
from tests.support.workshop import RecordingBroker

GOOD, BAD = "http://good.example.org/", "http://bad.example.org/"
TAKEN = Posted(1000.0, 0.01, 204)
DOWN = Posted(1000.0, 0.01, 500, "bad_status", "the receiver answered 500")


class Hands:
    """A poster that notes each attempt; `go` holds up those to one receiver, `outcome` is what they meet."""

    def __init__(self) -> None:
        self.posts: list[Webhook] = []
        self.under_way = 0
        self.most_at_once = 0
        self.outcome = TAKEN
        self.go = {GOOD: asyncio.Event(), BAD: asyncio.Event()}
        self.go[GOOD].set()
        self.go[BAD].set()

    async def post(self, webhook: Webhook) -> Posted:
        """Make one attempt."""
        self.posts.append(webhook)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        await self.go[webhook.callback_url].wait()
        self.under_way -= 1
        return self.outcome


def webhook(number: int = 1, **changes: Any) -> Webhook:  # noqa: ANN401  (any field)
    fields: dict[str, Any] = {
        "webhook_id": f"job-{number}:1",
        "job_id": f"job-{number}",
        "generation": 1,
        "type": "job.completed",
        "callback_url": GOOD,
        "body": "{}",
    }
    return Webhook(**(fields | changes))


def attempts(broker: RecordingBroker) -> list[WebhookAttempt]:
    return [WebhookAttempt.decode(m.body) for m in broker.published if m.routing_key == ATTEMPTED]


async def started(hands: Hands, *, at_once: int = 32, per_host: int = 4) -> tuple[RecordingBroker, Courier]:
    broker = RecordingBroker()
    courier = Courier(broker, hands, at_once=at_once, per_host=per_host, instance="notifier-1")
    await courier.start()
    return broker, courier


async def send(broker: MemoryBroker, *webhooks: Webhook) -> None:
    for each in webhooks:
        await MemoryBroker.publish(broker, webhook_envelope(each))


async def unsettled(broker: MemoryBroker) -> int:
    """Return what is in the queue when the connection is gone."""
    broker.connected = False
    broker.connected = True
    return (await broker.depth(NOTIFIER_WEBHOOKS)).ready


@pytest.mark.parametrize("name", ["job.completed", "job.failed"])
async def test_the_end_of_a_job_becomes_a_webhook(name: Any) -> None:  # noqa: ANN401  (a literal)
    """It carries the job in the words of the API, and the id of the notification."""
    ended = event(name, callback_url=GOOD, generation=2, filename="größe.png")
    made = webhook_of(Notification(f"{ended.job_id}:2", ended))
    payload = json.loads(made.body)
    assert (made.webhook_id, made.callback_url, made.type) == (f"{ended.job_id}:2", GOOD, name)
    assert set(payload) == {"type", "timestamp", "data"}
    assert payload["type"] == name
    assert payload["timestamp"].endswith("Z")
    data = payload["data"]
    assert (data["job_id"], data["status"], data["generation"]) == (ended.job_id, name[4:], 2)
    assert (data["file_name"], data["operations"]) == ("größe.png", ["resize,800x600"])
    assert data["error_code"] == ended.error_code
    assert [output["name"] for output in data["outputs"]] == [output.name for output in ended.outputs]
    assert "originals" not in made.body


async def test_only_who_asked_is_told() -> None:
    """A job without a callback_url makes no webhook; every job is a line in the log."""
    broker = RecordingBroker()
    async with broker:
        notifier = Notifier(broker, (WebhookChannel(broker), LogChannel()), instance="notifier-1")
        await notifier.start()
        asked = event("job.completed", callback_url=GOOD)
        for ended in (event("job.completed"), asked, asked):
            await MemoryBroker.publish(broker, event_envelope(ended))
        await eventually(lambda: broker.log.count("job.notified") == 3)
        [made] = [m for m in broker.published if m.exchange == WEBHOOKS]
        assert made.message_id == f"{asked.job_id}:1"


async def test_a_webhook_that_is_not_confirmed_is_sent_again() -> None:
    """When the broker does not confirm, the event comes again, and then the webhook goes out once."""
    broker = Refusing(1)
    async with broker:
        await Notifier(broker, (WebhookChannel(broker), LogChannel()), instance="notifier-1").start()
        await MemoryBroker.publish(broker, event_envelope(event("job.completed", callback_url=GOOD)))
        await eventually(lambda: "job.notified" in broker.log)
        assert broker.log.count(NOTIFIER_WEBHOOKS) == 1
        assert broker.refused == 1


class Refusing(RecordingBroker):
    """Does not confirm the first publishes to the exchange of webhooks."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times
        self.refused = 0

    def publish(self, message: Outgoing) -> asyncio.Future[None]:
        """Lose a message, or publish it."""
        from services.common.confirms import failed  # noqa: PLC0415
        from services.common.errors import BrokerUnavailable  # noqa: PLC0415

        if message.exchange == WEBHOOKS and self.refused < self._times:
            self.refused += 1
            return failed(BrokerUnavailable("no confirm"))
        return super().publish(message)


async def test_a_webhook_that_is_taken_is_done() -> None:
    """The tracker is told, and the message acknowledged."""
    broker, _ = await started(hands := Hands())
    async with broker:
        await send(broker, webhook())
        await eventually(lambda: attempts(broker))
        [told] = attempts(broker)
        assert (told.outcome, told.attempt, told.status_code) == ("delivered", 1, 204)
        assert (told.job_id, told.webhook_id, told.retry_in_s) == ("job-1", "job-1:1", None)
        assert len(hands.posts) == 1
        assert await unsettled(broker) == 0


@pytest.mark.parametrize(("attempt", "delay_s"), [(1, 1), (2, 5), (3, 15)])
async def test_the_ladder(attempt: int, delay_s: int) -> None:
    """A failed attempt waits 1, 5 and 15 s in a queue of the broker; its message is acknowledged."""
    broker, _ = await started(hands := Hands())
    hands.outcome = DOWN
    async with broker:
        await send(broker, webhook(attempt=attempt))
        waiting = retry_queue(NOTIFIER_WEBHOOKS, delay_s)
        await eventually(lambda: waiting in broker.log)
        [told] = attempts(broker)
        assert (told.outcome, told.retry_in_s, told.error_code) == ("retrying", delay_s, "bad_status")
        assert (await broker.depth(waiting)).ready == 1
        following = Webhook.decode(broker.published[-1].body)
        assert following == webhook(attempt=attempt + 1)
        assert await unsettled(broker) == 0


@pytest.mark.parametrize(
    ("attempt", "error_code"),
    [(4, "bad_status"), (4, "timeout"), (1, "target_refused"), (1, "bad_callback_url"), (1, "gone")],
)
async def test_what_is_given_up(attempt: int, error_code: str) -> None:
    """After the fourth attempt, or when no later one could do better, the webhook has failed for good."""
    broker, _ = await started(hands := Hands())
    hands.outcome = Posted(1000.0, 0.01, None, error_code, "said")
    async with broker:
        await send(broker, webhook(attempt=attempt))
        await eventually(lambda: attempts(broker))
        [told] = attempts(broker)
        assert (told.outcome, told.retry_in_s, told.error_message) == ("failed", None, "said")
        assert await unsettled(broker) == 0
        assert broker.log == [ATTEMPTED]


async def test_a_dead_receiver_holds_up_nobody() -> None:
    """While one receiver hangs with hundreds of webhooks, another one gets its own at once."""
    broker, _ = await started(hands := Hands(), per_host=2)
    hands.go[BAD].clear()
    async with broker:
        await send(broker, *(webhook(number, callback_url=BAD) for number in range(600)))
        await send(broker, *(webhook(number) for number in range(1000, 1020)))
        await eventually(lambda: len(attempts(broker)) == 20)
        assert {told.webhook_id for told in attempts(broker)} == {f"job-{n}:1" for n in range(1000, 1020)}
        assert sum(made.callback_url == BAD for made in hands.posts) == 2
        # What is neither under way nor in line waits with the broker, as the same attempt.
        parked = [Webhook.decode(m.body) for m in broker.published if m.exchange == WEBHOOKS]
        assert len(parked) >= 600 - IN_LINE
        assert {each.attempt for each in parked} == {1}
        hands.go[BAD].set()
        await eventually(lambda: len(attempts(broker)) == 620, within_s=30)


class Steps(Hands):
    """Ends an attempt each time that `step` is released."""

    def __init__(self) -> None:
        super().__init__()
        self.step = asyncio.Semaphore(0)

    async def post(self, webhook: Webhook) -> Posted:
        """Make one attempt."""
        await self.step.acquire()
        return await super().post(webhook)


async def test_a_failing_receiver_is_left_alone_longer() -> None:
    """What is too much for a receiver that fails is parked for 15 s: each return costs the broker."""
    broker, courier = await started(hands := Steps(), per_host=1)
    hands.outcome = DOWN
    async with broker:
        await send(broker, *(webhook(number, callback_url=BAD) for number in range(IN_LINE)))
        await eventually(lambda: [found.held for found in courier._receivers.values()] == [IN_LINE])
        hands.step.release()
        await eventually(lambda: attempts(broker))
        await send(broker, *(webhook(number, callback_url=BAD) for number in range(100, 105)))

        async def parked() -> int:
            return (await broker.depth(retry_queue(NOTIFIER_WEBHOOKS, 15))).ready

        await eventually(parked)
        left = [message for message in broker.published if message.routing_key.endswith(".15s")]
        assert {Webhook.decode(message.body).attempt for message in left} == {1}


async def test_the_lanes_are_bounded() -> None:
    """No more attempts are under way at once than the settings say."""
    broker, courier = await started(hands := Hands(), at_once=5, per_host=3)
    hands.go[GOOD].clear()
    hands.go[BAD].clear()
    async with broker:
        await send(broker, *(webhook(n, callback_url=GOOD if n % 2 else BAD) for n in range(20)))
        await eventually(lambda: hands.under_way == 5)
        for event_ in hands.go.values():
            event_.set()
        await eventually(lambda: len(attempts(broker)) == 20)
        assert hands.most_at_once == 5
        assert courier._receivers == {}


async def test_a_lost_connection_means_once_more() -> None:
    """What was under way when the broker went comes again with the same id, and is told once it is back."""
    broker, _ = await started(hands := Hands())
    hands.go[GOOD].clear()
    async with broker:
        await send(broker, webhook())
        await eventually(lambda: hands.under_way == 1)
        broker.connected = False
        hands.go[GOOD].set()
        await eventually(lambda: hands.under_way == 0)
        broker.connected = True
        await eventually(lambda: len(attempts(broker)) == 1)
        assert [made.webhook_id for made in hands.posts] == ["job-1:1"] * 2
        assert await unsettled(broker) == 0


async def test_an_end_lets_attempts_finish() -> None:
    """SIGTERM: what is under way ends and is told; what waits for a lane goes back to its queue."""
    broker, courier = await started(hands := Hands(), per_host=1)
    hands.go[GOOD].clear()
    async with broker:
        await send(broker, webhook(1), webhook(2))
        await eventually(lambda: hands.under_way == 1)
        stopping = asyncio.create_task(courier.stop())
        await eventually(lambda: courier._stopping)
        hands.go[GOOD].set()
        await stopping
        assert [told.webhook_id for told in attempts(broker)] == ["job-1:1"]
        assert len(hands.posts) == 1
        assert await unsettled(broker) == 1


async def test_bytes_that_are_no_webhook_are_buried() -> None:
    """They go to the dead letters with the reason, and hold nothing up."""
    broker, _ = await started(Hands())
    async with broker:
        bad = Outgoing(exchange=WEBHOOKS, routing_key=NOTIFIER_WEBHOOKS, body=b"{}", message_id="m")
        await MemoryBroker.publish(broker, bad)
        await send(broker, webhook())
        await eventually(lambda: attempts(broker))

        async def buried() -> bool:
            return (await broker.depth(DEAD_LETTER)).ready == 1

        await eventually(buried)


async def test_a_url_that_cannot_be_read_ends_there() -> None:
    """A webhook that no API has checked is told to be wrong, and does not come again."""
    broker = RecordingBroker()
    poster = HttpPoster(SECRET, timeout_s=1, allow_private=True)
    async with broker, poster:
        await Courier(broker, poster, at_once=1, per_host=1, instance="notifier-1").start()
        await send(broker, webhook(callback_url="http://[::1"))
        await eventually(lambda: attempts(broker))
        assert (attempts(broker)[0].outcome, attempts(broker)[0].error_code) == ("failed", "bad_callback_url")
        assert await unsettled(broker) == 0


def test_an_event_knows_where_to_call() -> None:
    """Every event of a job carries its callback_url, however the job ends."""
    assert Event.decode(event("job.failed", callback_url=GOOD).encode()).callback_url == GOOD
