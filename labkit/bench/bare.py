"""The bare pipeline: the same messages and events through the same kinds of queues, and nothing else.

A program of its own, so that each part has a process as the real ones do: `python -m labkit.bench.bare PART`
with the broker's URL in LAB_AMQP_URL. No rows, no decoding, no encoding: bodies are templates.

    publisher ─▶ work queue ─▶ worker ─▶ started, completed ─▶ tracker
                                                  └──────────▶ notifier ─▶ notified ─▶ tracker
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

import pika
import uvloop

from services.common.messages import Event, Job
from services.common.pika_async import Channel, open_connection

PREFIX = "bench"
WORK = f"{PREFIX}.jobs"
EVENTS = f"{PREFIX}.events"
TRACKER = f"{PREFIX}.tracker"
NOTIFIER = f"{PREFIX}.notifier"
PREFETCH = 128
WINDOW = 200

_JOB = Job(job_id="0" * 32, kind="text", clock={"accepted": 1.5e9, "published": 1.5e9})
_STARTED = Event.of(_JOB, "job.started", attempt=1, clock={**_JOB.clock, "started": 1.5e9}, worker="worker-1")
_COMPLETED = _STARTED.model_copy(update={"name": "job.completed"})
JOB_BODY, STARTED_BODY, COMPLETED_BODY = _JOB.encode(), _STARTED.encode(), _COMPLETED.encode()
PROPERTIES = pika.BasicProperties(delivery_mode=2, content_type="application/json")


async def open_channel(url: str) -> Channel:
    """Return a channel with the bare topology declared."""
    channel = await Channel.open(await open_connection(pika.URLParameters(url)))
    quorum = {"x-queue-type": "quorum"}
    await channel.call("exchange_declare", exchange=EVENTS, exchange_type="topic", durable=True)
    for queue, keys in ((WORK, ()), (TRACKER, ("#",)), (NOTIFIER, ("job.completed",))):
        await channel.call("queue_declare", queue=queue, durable=True, arguments=quorum)
        for key in keys:
            await channel.call("queue_bind", queue=queue, exchange=EVENTS, routing_key=key)
    return channel


async def delete(url: str) -> None:
    """Remove the bare topology."""
    channel = await open_channel(url)
    for queue in (WORK, TRACKER, NOTIFIER):
        await channel.call("queue_delete", queue=queue)
    await channel.call("exchange_delete", exchange=EVENTS)
    channel.raw.connection.close()


class Confirmed:
    """Calls back when the publish it was given with is confirmed."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._last = 0
        self._waiting: dict[int, Callable[[], None] | None] = {}

    async def begin(self) -> None:
        """Turn confirms on."""
        await self._channel.call("confirm_delivery", ack_nack_callback=self._settle)

    def publish(self, exchange: str, key: str, body: bytes, then: Callable[[], None] | None = None) -> None:
        """Publish; call `then` after the confirm."""
        self._channel.raw.basic_publish(exchange, key, body, PROPERTIES)
        self._last += 1
        self._waiting[self._last] = then

    def _settle(self, frame: Any) -> None:  # noqa: ANN401  (pika has no published types)
        tag = frame.method.delivery_tag
        tags = [waiting for waiting in self._waiting if waiting <= tag] if frame.method.multiple else [tag]
        for confirmed in tags:
            then = self._waiting.pop(confirmed, None)
            if then:
                then()


async def work(url: str) -> None:
    """Consume jobs; publish two events each, and acknowledge when the second is confirmed."""
    incoming, outgoing = await open_channel(url), await open_channel(url)
    confirmed = Confirmed(outgoing)
    await confirmed.begin()

    def take(_: object, method: Any, __: object, ___: bytes) -> None:  # noqa: ANN401
        confirmed.publish(EVENTS, "job.started", STARTED_BODY)
        tag = method.delivery_tag
        confirmed.publish(EVENTS, "job.completed", COMPLETED_BODY, lambda: incoming.raw.basic_ack(tag))

    await incoming.call("basic_qos", prefetch_count=PREFETCH)
    await incoming.call("basic_consume", queue=WORK, on_message_callback=take)
    await asyncio.Event().wait()


async def notify(url: str) -> None:
    """Consume completed events; publish one event each, and acknowledge when it is confirmed."""
    incoming, outgoing = await open_channel(url), await open_channel(url)
    confirmed = Confirmed(outgoing)
    await confirmed.begin()

    def take(_: object, method: Any, __: object, ___: bytes) -> None:  # noqa: ANN401
        tag = method.delivery_tag
        confirmed.publish(EVENTS, "job.notified", COMPLETED_BODY, lambda: incoming.raw.basic_ack(tag))

    await incoming.call("basic_qos", prefetch_count=PREFETCH)
    await incoming.call("basic_consume", queue=NOTIFIER, on_message_callback=take)
    await asyncio.Event().wait()


async def drive(url: str, jobs: int) -> None:
    """Be publisher and tracker: send all jobs, a window unconfirmed at a time; count three events each."""
    incoming, outgoing = await open_channel(url), await open_channel(url)
    confirmed = Confirmed(outgoing)
    await confirmed.begin()
    done = asyncio.Event()
    seen = 0

    def take(_: object, method: Any, __: object, ___: bytes) -> None:  # noqa: ANN401
        nonlocal seen
        incoming.raw.basic_ack(method.delivery_tag)
        seen += 1
        if seen == 3 * jobs:
            done.set()

    await incoming.call("basic_qos", prefetch_count=2 * PREFETCH)
    await incoming.call("basic_consume", queue=TRACKER, on_message_callback=take)
    window = asyncio.Semaphore(WINDOW)
    for _ in range(jobs):
        await window.acquire()
        confirmed.publish("", WORK, JOB_BODY, window.release)
    await done.wait()
    for channel in (incoming, outgoing):
        channel.raw.connection.close()


if __name__ == "__main__":
    uvloop.run({"worker": work, "notifier": notify}[sys.argv[1]](os.environ["LAB_AMQP_URL"]))
