"""Webhooks on the real broker, with the notifier and the tracker as real processes."""

from __future__ import annotations

import itertools
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.common.broker import Broker
from services.common.envelopes import event_envelope
from services.common.jobs import JobStore
from services.common.topology import NOTIFIER_WEBHOOKS, RETRY_DELAYS_S, retry_queue
from tests.support.brokers import ready
from tests.support.examples import event
from tests.support.programs import check_lines, connected, healthy
from tests.support.receiver import SECRET, Receiver, answer, authentic, silent
from tests.support.waiting import eventually

WITHIN_S = 40.0


def variables(environment: dict[str, str], **more: str) -> dict[str, str]:
    return {**environment, "LAB_WEBHOOK_SECRET": SECRET, "LAB_WEBHOOK_ALLOW_PRIVATE": "true", **more}


@asynccontextmanager
async def table(environment: dict[str, str]) -> AsyncIterator[JobStore]:
    store = JobStore(environment["LAB_DATABASE_URL"])
    try:
        yield store
    finally:
        store.close()


async def nothing_waits(broker: Broker) -> None:
    for name in (NOTIFIER_WEBHOOKS, *(retry_queue(NOTIFIER_WEBHOOKS, delay) for delay in RETRY_DELAYS_S)):
        await ready(broker, name, 0)


async def forget_what_was_in_hand(broker: Broker) -> None:
    """Drop what a killed notifier had sent on and not yet acknowledged: it would begin a second ladder."""

    async def given_back() -> bool:
        return (await broker.depth(NOTIFIER_WEBHOOKS)).consumers == 0

    await eventually(given_back)
    await broker.purge(NOTIFIER_WEBHOOKS)


async def test_a_notifier_that_is_killed_still_delivers(environment: dict[str, str]) -> None:
    """Killed with a POST under way, and again while the next one waits: all attempts are made, at 1, 5, 15 s.

    The POST that was cut off comes again with the same id; every one of them is signed; the log has each
    attempt that ended.
    """
    down = answer(500, b"not now")
    with_env = variables(environment, LAB_WEBHOOK_TIMEOUT_S="30")
    async with (
        Receiver([silent, down, down, down, answer(204)]).serving() as receiver,
        connected(with_env) as broker,
        healthy("tracker", with_env),
        table(with_env) as store,
    ):
        ended = event("job.completed", callback_url=receiver.url)
        async with healthy("notifier", with_env) as notifier:
            await broker.publish(event_envelope(ended))
            await eventually(lambda: receiver.posts)
            await notifier.end(signal.SIGKILL)
        async with healthy("notifier", with_env) as notifier:
            await eventually(lambda: len(receiver.posts) == 3)
            await ready(broker, retry_queue(NOTIFIER_WEBHOOKS, 5), 1)
            await notifier.end(signal.SIGKILL)
            await forget_what_was_in_hand(broker)
        async with healthy("notifier", with_env) as notifier:
            await eventually(lambda: len(receiver.posts) == 5, WITHIN_S)
            await eventually(lambda: len(store.attempts(ended.job_id, 10)) == 4)
            assert await notifier.end() == 0
            check_lines(notifier)
            assert SECRET not in str(notifier.lines)
        posts = receiver.posts
        assert {post.id for post in posts} == {f"{ended.job_id}:1"}
        assert len({post.body for post in posts}) == 1
        assert all(authentic(post.headers, post.body) for post in posts)
        gaps = [after.at - before.at for before, after in itertools.pairwise(posts[1:])]
        assert [gap >= delay - 0.1 for gap, delay in zip(gaps, RETRY_DELAYS_S, strict=True)] == [True] * 3
        log = store.attempts(ended.job_id, 10)
        assert [(each.attempt, each.outcome, each.status_code) for each in log] == [
            (1, "retrying", 500),
            (2, "retrying", 500),
            (3, "retrying", 500),
            (4, "delivered", 204),
        ]
        await nothing_waits(broker)


async def test_a_slow_receiver_holds_up_nobody(environment: dict[str, str]) -> None:
    """While one receiver hangs, other receivers, the log and the tracker's events go on."""
    with_env = variables(environment, LAB_WEBHOOK_TIMEOUT_S="30")
    async with (
        Receiver([silent]).serving() as slow,
        Receiver().serving() as quick,
        connected(with_env) as broker,
        healthy("notifier", with_env) as notifier,
    ):
        for _ in range(60):
            await broker.publish(event_envelope(event("job.completed", callback_url=slow.url)))
        for _ in range(5):
            await broker.publish(event_envelope(event("job.failed", callback_url=quick.url)))
        await eventually(lambda: len(quick.posts) == 5)
        await eventually(lambda: notifier.events().count("notification_sent") == 65)
        assert len(slow.posts) <= 4
        assert {post.payload["type"] for post in quick.posts} == {"job.failed"}
        notifier.process.kill()


async def test_a_private_target_is_refused(environment: dict[str, str]) -> None:
    """Without the setting no receiver on this machine is told; the log says why, at once and for good."""
    with_env = variables(environment, LAB_WEBHOOK_ALLOW_PRIVATE="false")
    async with (
        Receiver().serving() as receiver,
        connected(with_env) as broker,
        healthy("tracker", with_env),
        healthy("notifier", with_env) as notifier,
        table(with_env) as store,
    ):
        literal = event("job.completed", callback_url=receiver.url)
        named = event("job.completed", callback_url=receiver.url.replace("127.0.0.1", "0x7f.1"))
        for ended in (literal, named):
            await broker.publish(event_envelope(ended))
        await eventually(lambda: store.attempts(literal.job_id, 10) and store.attempts(named.job_id, 10))
        for ended, word in ((literal, "bad_callback_url"), (named, "target_refused")):
            [told] = store.attempts(ended.job_id, 10)
            assert (told.outcome, told.error_code, told.attempt) == ("failed", word, 1)
        assert receiver.connections == 0
        assert await notifier.end() == 0
        check_lines(notifier)
