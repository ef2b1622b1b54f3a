"""What failed gets a second chance, and what nobody can read is put aside."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from labkit.client import Answer, ApiClient
from labkit.control import chaos
from labkit.stack import Options
from services.common.broker import Outgoing
from services.common.topology import NOTIFIER_EVENTS, TRACKER_EVENTS
from test_images import generate_sample
from tests.acceptance.stack import Live, Stack, eventually, images

REFUSED = {"text": (415, "not_an_image"), "bomb": (413, "too_many_pixels"), "empty": (415, "not_an_image")}
BURIED = {"truncated": "truncated_image", "broken-chunk": "broken_image"}


def _order(stack: Stack, method: str, path: str, **arguments: Any) -> Answer:  # noqa: ANN401  (aiohttp's)
    async def send() -> Answer:
        async with ApiClient(stack.runtime.address("api")) as client:
            return await client.send(method, path, **arguments)

    return asyncio.run(send())


def _upload(stack: Stack, kind: str) -> Answer:
    async def send() -> Answer:
        async with ApiClient(stack.runtime.address("api")) as client:
            return await client.upload(generate_sample.corrupt(kind), f"{kind}.bin", "resize,64x64")

    return asyncio.run(send())


def _letters(stack: Stack) -> int:
    return int(stack.ask("/dlq/stats").body["failed_messages"])


@pytest.fixture
def empty(stack: Stack) -> Stack:
    """Give a stack whose dead-letter queue is empty."""
    _order(stack, "DELETE", "/dlq")
    return stack


def test_a_replay_under_load_loses_nothing(empty: Stack) -> None:
    """Dead jobs are sent again while others run: all complete, each replayed one as a new generation."""
    chaos.change(empty.access, chaos.fail_rate(1))
    empty.runtime.up(Options(settings={"LAB_RETRY": "none"}))
    names = [f"again-{uuid.uuid4().hex[:8]}" for _ in range(20)]
    try:
        for name in names:
            empty.produce(name, 0.05)
        eventually(lambda: _letters(empty) == len(names), 30)
    finally:
        chaos.change(empty.access, chaos.clear)
        empty.runtime.up(Options(settings={"LAB_RETRY": "delayed"}))

    def replay(live: Live) -> None:
        live.until(lambda progress: progress.ended >= 5)
        done = _order(empty, "POST", "/dlq/replay", json={"all": True, "rate": 20})
        assert done.body["replayed"] == len(names)

    ledger = empty.run(images(60, pause_s=0.05), replay)
    assert (ledger.completed, ledger.lost, ledger.duplicated) == (60, 0, 0)
    eventually(lambda: all(empty.status(name)["status"] == "completed" for name in names), 30)
    assert {empty.status(name)["generation"] for name in names} == {2}
    assert _letters(empty) == 0


@pytest.mark.parametrize(("kind", "expected"), REFUSED.items(), ids=REFUSED)
def test_what_is_no_image_is_refused_at_the_door(stack: Stack, kind: str, expected: tuple[int, str]) -> None:
    """The API says so, and no job is made."""
    answer = _upload(stack, kind)
    assert (answer.status, answer.body["error"]["code"]) == expected


@pytest.mark.parametrize(("kind", "code"), BURIED.items(), ids=BURIED)
def test_a_damaged_image_fails_with_its_reason(stack: Stack, kind: str, code: str) -> None:
    """Its header is right, so it is taken in; its worker finds out."""
    job_id = _upload(stack, kind).body["job_id"]
    eventually(lambda: stack.status(job_id)["status"] == "failed", 20)
    assert (stack.status(job_id)["error_code"], stack.status(job_id)["reason"]) == (code, "permanent")


@pytest.mark.parametrize("kind", ["animated", "cmyk", "sixteen-bit", "rotated", "rgba"])
def test_an_unusual_image_comes_out_right(stack: Stack, kind: str) -> None:
    """It completes, and its result fits the box that was asked for."""
    job_id = _upload(stack, kind).body["job_id"]
    eventually(lambda: stack.status(job_id)["status"] == "completed", 20)
    outputs = stack.ask(f"/jobs/{job_id}").body["outputs"]
    result = next(output for output in outputs if output["name"] == "result")
    assert max(result["width"], result["height"]) == 64


def test_a_message_that_nobody_can_read_is_put_aside_with_its_reason(empty: Stack) -> None:
    """On a work queue or on a queue of events: it goes to the dead letters, and nothing stops for it."""
    queues = ("image.jobs", "text.jobs", TRACKER_EVENTS, NOTIFIER_EVENTS)

    async def publish() -> None:
        async with empty.access.broker() as broker:
            await broker.ready(10)
            for queue in queues:
                garbage = Outgoing(exchange="", routing_key=queue, body=b"\xff garbage", message_id=queue)
                await broker.publish(garbage)

    asyncio.run(publish())
    eventually(lambda: _letters(empty) == len(queues), 20)
    letters = empty.ask("/dlq").body["letters"]
    assert {letter["origin"] for letter in letters} == set(queues)
    assert {letter["reason"] for letter in letters} == {"bad_message"}
    assert empty.run(images(10, pause_s=0)).completed == 10
