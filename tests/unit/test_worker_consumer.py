"""What a worker does with a delivery: the order of its steps, and what becomes of failures."""

from __future__ import annotations

import asyncio

import pytest

from services.common import dead_letters, metrics
from services.common.broker import Outgoing
from services.common.errors import BrokerUnavailable
from services.common.messages import Job
from services.common.topology import DELIVERY_LIMIT, JOBS, RETRY_DELAYS_S, retry_queue
from services.worker.consumer import Consumer, Policy
from test_images import generate_sample
from tests.support.examples import job, text_job
from tests.support.waiting import eventually
from tests.support.workshop import Bench, CrashingWorkshop, HeldWorkshop


async def test_the_acknowledgement_comes_last() -> None:
    """A job is acknowledged after its completion is confirmed, so that a crash before that loses nothing."""
    bench = Bench()
    async with bench.broker:
        await bench.consumer.handle(bench.delivery(text_job()))
        assert bench.broker.log == ["job.started", "job.completed", "ack"]
        assert bench.consumer.tally.done == 1
        assert bench.consumer.tally.in_hand == []


async def test_events_tell_who_did_what() -> None:
    """Events carry the worker, the queue, the attempt and the stage clock so far."""
    bench = Bench()
    async with bench.broker:
        sent = text_job(attempt=1)
        await bench.consumer.handle(bench.delivery(sent, delivery_count=2, redelivered=True))
        started, completed = bench.broker.events()
        assert (started.name, started.attempt, started.redelivered) == ("job.started", 4, True)
        assert (completed.name, completed.attempt, completed.redelivered) == ("job.completed", 4, False)
        assert {started.worker, completed.worker} == {"worker-1"}
        assert {started.queue, completed.queue} == {"text.jobs"}
        assert list(completed.clock) == ["accepted", "published", "started", "processed", "finished"]
        assert completed.clock["accepted"] == sent.clock["accepted"]
        stages = [completed.clock[stage] for stage in ("started", "processed", "finished")]
        assert stages == sorted(stages)


async def test_an_image_job_stores_its_outputs() -> None:
    """Result and thumbnail are in the store under keys made from the job, as the event says."""
    bench = Bench()
    async with bench.broker:
        picture = generate_sample.photo(320, 240, seed=1)
        sent = job(operations="resize,160x120", original_key="originals/p")
        bench.store.objects["originals/p"] = (picture, "image/jpeg")
        await bench.consumer.handle(bench.delivery(sent))
        assert bench.broker.log == ["job.started", "job.completed", "ack"]
        completed = bench.broker.events()[1]
        assert [output.name for output in completed.outputs] == ["result", "thumbnail"]
        result = completed.outputs[0]
        data, content_type = bench.store.objects[result.key]
        assert result.key == f"results/{sent.job_id}/result"
        assert (result.width, result.height, result.size) == (160, 120, len(data))
        assert content_type == result.content_type == "image/jpeg"
        stages = ["accepted", "published", "started", "fetched", "processed", "stored", "finished"]
        assert list(completed.clock) == stages
    bench.close()


@pytest.mark.parametrize("spent", [0, 1, 2])
async def test_a_transient_fault_goes_to_the_retry_queue(spent: int) -> None:
    """The job waits 1, 5, then 15 s, and takes along how many attempts it had."""
    bench = Bench()
    async with bench.broker:
        bench.store.available = False
        sent = job(attempt=spent)
        await bench.consumer.handle(bench.delivery(sent))
        queue = retry_queue("image.jobs", RETRY_DELAYS_S[spent])
        assert bench.broker.log == ["job.started", "job.retrying", queue, "ack"]
        retrying = bench.broker.events()[1]
        assert (retrying.attempt, retrying.retry_in_s) == (spent + 1, RETRY_DELAYS_S[spent])
        assert retrying.error_code == "storage_unavailable"
        waiting = Job.decode((await bench.take(queue)).body)
        assert waiting == sent.model_copy(update={"attempt": spent + 1})
        assert bench.consumer.tally.retried == 1
    bench.close()


async def test_after_the_last_retry_a_job_is_dead() -> None:
    """The fourth transient fault ends the job; the dead letter says why."""
    bench = Bench()
    async with bench.broker:
        bench.store.available = False
        sent = job(attempt=len(RETRY_DELAYS_S))
        await bench.consumer.handle(bench.delivery(sent))
        assert bench.broker.log == ["job.started", "lab.dead", "ack"]
        letter = dead_letters.read(await bench.take("dead-letter"), spent=sent.attempt, now=0)
        assert (letter.reason, letter.error_code) == ("attempts_spent", "storage_unavailable")
        assert (letter.attempt, letter.worker, letter.origin) == (4, "worker-1", "image.jobs")
        assert letter.started is not None
        assert letter.started <= letter.at
        assert bench.consumer.tally.failed == 1
    bench.close()


async def test_a_permanent_fault_is_dead_at_once() -> None:
    """What cannot succeed is not tried again; both dead-letter queues get the job as it was sent."""
    bench = Bench()
    async with bench.broker:
        sent = job(original_key="originals/deleted")
        await bench.consumer.handle(bench.delivery(sent))
        assert bench.broker.log == ["job.started", "lab.dead", "ack"]
        for queue in ("dead-letter", "tracker.dead"):
            delivery = await bench.take(queue)
            letter = dead_letters.read(delivery, spent=0, now=0)
            assert delivery.body == sent.encode()
            assert (letter.reason, letter.error_code, letter.attempt) == ("permanent", "object_missing", 1)
            assert "originals/deleted" in letter.error_message
    bench.close()


async def test_bad_bytes_are_dead_at_once_and_the_next_job_is_done() -> None:
    """A message that is no job goes to the dead letters with the reason, and holds up nobody."""
    bench = Bench()
    async with bench.broker:
        before = _errors("bad_message")
        await bench.consumer.start(("text.jobs",))
        bad = Outgoing(exchange=JOBS, routing_key="text.jobs", body=b'{"job_id": 1', message_id="bad")
        await super(type(bench.broker), bench.broker).publish(bad)
        await bench.send(text_job())
        await eventually(lambda: bench.consumer.tally.done == 1)
        delivery = await bench.take("dead-letter")
        letter = dead_letters.read(delivery, spent=0, now=0)
        assert (delivery.body, letter.reason, letter.error_code) == (bad.body, "bad_message", "bad_message")
        assert "Job:" in letter.error_message
        assert _errors("bad_message") == before + 1


async def test_without_a_confirm_nothing_is_acknowledged() -> None:
    """When the broker goes away during the work, the job is done again; nothing is lost."""
    bench, held = Bench(), HeldWorkshop()
    consumer = Consumer(bench.broker, held, bench.policy)
    async with bench.broker:
        await consumer.start(("text.jobs",))
        await bench.send(sent := text_job())
        await eventually(lambda: held.at_once == 1)
        bench.broker.connected = False
        held.go.set()
        await eventually(lambda: held.at_once == 0)
        assert consumer.tally.done == 0
        bench.broker.connected = True
        await eventually(lambda: consumer.tally.done == 1)
        assert held.begun == [sent.job_id, sent.job_id]
        completed = bench.broker.events()[-1]
        assert (completed.name, completed.attempt) == ("job.completed", 2)


async def test_an_unconfirmed_publish_gives_the_job_back() -> None:
    """When only the confirm is missing, the message returns to its queue."""
    bench = Bench()

    class Unconfirming(type(bench.broker)):  # type: ignore[misc]
        async def publish(self, message: Outgoing) -> None:
            if message.routing_key == "job.completed":
                raise BrokerUnavailable("no confirm within 10 s")
            await super().publish(message)

    broker = Unconfirming()
    consumer = Consumer(broker, HeldWorkshop.ready(), bench.policy)
    bench.broker = broker
    async with broker:
        await consumer.handle(bench.delivery(text_job()))
        assert broker.log == ["job.started", "requeue"]
        assert consumer.tally.in_hand == []


async def test_a_bug_counts_as_a_crash() -> None:
    """An unexpected error gives the job back; the broker ends it at the delivery limit."""
    bench, crashing = Bench(), CrashingWorkshop()
    consumer = Consumer(bench.broker, crashing, bench.policy)
    async with bench.broker:
        await consumer.start(("text.jobs",))
        await bench.send(text_job())
        await bench.waiting("dead-letter", 1)
        assert len(crashing.begun) == DELIVERY_LIMIT + 1
        letter = dead_letters.read(await bench.take("dead-letter"), spent=0, now=0)
        assert (letter.reason, letter.attempt) == ("delivery_limit", DELIVERY_LIMIT + 1)
        assert [event.attempt for event in bench.broker.events()] == [1, 2, 3, 4, 5, 6]


async def test_what_was_in_hand_at_a_crash_is_done_alone() -> None:
    """A worker that starts takes nothing from its other queues before the job that may have killed it."""
    bench, held = Bench(), HeldWorkshop()
    consumer = Consumer(bench.broker, held, bench.policy)
    queues = ("text.jobs", "image.jobs")
    async with bench.broker:
        for queue in queues:
            await bench.send(text_job(), queue)
            async with bench.broker.reading(queue) as reader:
                await reader.next()  # comes back, as from a worker that died
        starting = asyncio.create_task(consumer.start(queues))
        await eventually(lambda: held.at_once == 1)
        depths = [await bench.broker.depth(queue) for queue in queues]
        assert sorted((depth.ready, depth.consumers) for depth in depths) == [(0, 1), (1, 0)]
        held.go.set()
        await starting
        await eventually(lambda: consumer.tally.done == 2)


async def test_a_first_delivery_holds_up_no_other_queue() -> None:
    """Jobs that nobody had before are taken from all queues at once."""
    bench, held = Bench(), HeldWorkshop()
    consumer = Consumer(bench.broker, held, bench.policy)
    queues = ("text.jobs", "image.jobs")
    async with bench.broker:
        for queue in queues:
            await bench.send(text_job(), queue)
        await consumer.start(queues)
        assert [(await bench.broker.depth(queue)).ready for queue in queues] == [0, 0]
        held.go.set()
        await eventually(lambda: consumer.tally.done == 2)


@pytest.mark.parametrize(("concurrency", "prefetch"), [(1, 10), (2, 10), (3, 3), (4, 2)])
async def test_concurrency_and_prefetch_bound_the_work(concurrency: int, prefetch: int) -> None:
    """A worker works on as many jobs at once as the smaller of the two allows."""
    bench = Bench(Policy(instance="w", prefetch=prefetch, concurrency=concurrency))
    held = HeldWorkshop()
    consumer = Consumer(bench.broker, held, bench.policy)
    async with bench.broker:
        for _ in range(8):
            await bench.send(text_job())
        await consumer.start(("text.jobs",))
        await eventually(lambda: held.at_once == min(concurrency, prefetch))
        assert sorted(consumer.tally.in_hand) == sorted(held.begun)
        held.go.set()
        await eventually(lambda: consumer.tally.done == 8)
        assert held.most_at_once == min(concurrency, prefetch)


async def test_stopping_finishes_what_was_begun() -> None:
    """The job in hand is done and acknowledged; prefetched ones are left for others, unsettled."""
    bench, held = Bench(Policy(instance="w", prefetch=3)), HeldWorkshop()
    consumer = Consumer(bench.broker, held, bench.policy)
    async with bench.broker:
        for _ in range(5):
            await bench.send(text_job())
        await consumer.start(("text.jobs",))
        await eventually(lambda: held.at_once == 1)
        stopping = asyncio.create_task(consumer.stop())
        await bench.waiting("text.jobs", 2)
        assert not stopping.done()
        held.go.set()
        await stopping
        assert (consumer.tally.done, len(held.begun)) == (1, 1)
        assert (await bench.broker.depth("text.jobs")).ready == 2
        bench.broker.connected = False
        bench.broker.connected = True
        assert (await bench.broker.depth("text.jobs")).ready == 4


async def test_stopping_an_idle_worker_is_quick() -> None:
    """Without a job in hand there is nothing to wait for."""
    bench = Bench()
    async with bench.broker:
        await bench.consumer.start(("text.jobs", "image.jobs"))
        await bench.consumer.stop()
        await bench.send(text_job())
        assert (await bench.broker.depth("text.jobs")).ready == 1


async def test_early_acknowledgement_forgets_what_fails() -> None:
    """With the policy "early" the broker lets go before the work, so a crash loses the job."""
    bench, crashing = Bench(Policy(instance="w", ack="early")), CrashingWorkshop()
    consumer = Consumer(bench.broker, crashing, bench.policy)
    async with bench.broker:
        with pytest.raises(RuntimeError):
            await consumer.handle(bench.delivery(text_job()))
        await eventually(lambda: bench.broker.log == ["ack", "job.started"])


async def test_the_policy_requeue_gives_back_at_once() -> None:
    """Without delay queues a failed job returns by nack."""
    bench = Bench(Policy(instance="w", retry="requeue"))
    async with bench.broker:
        bench.store.available = False
        await bench.consumer.handle(bench.delivery(job()))
        assert bench.broker.log == ["job.started", "nack"]
    bench.close()


async def test_the_policy_none_gives_up_at_once() -> None:
    """Without retries the first transient fault is the last."""
    bench = Bench(Policy(instance="w", retry="none"))
    async with bench.broker:
        bench.store.available = False
        await bench.consumer.handle(bench.delivery(job()))
        assert bench.broker.log == ["job.started", "lab.dead", "ack"]
    bench.close()


async def test_calls_to_the_store_are_counted() -> None:
    """Each get and put is counted by its result."""
    bench = Bench()
    async with bench.broker:
        before = {result: _calls("get", result) for result in ("missing", "unavailable")}
        await bench.consumer.handle(bench.delivery(job()))
        bench.store.available = False
        await bench.consumer.handle(bench.delivery(job()))
        assert {result: _calls("get", result) for result in before} == {
            result: count + 1 for result, count in before.items()
        }
    bench.close()


def _calls(operation: str, result: str) -> float:
    return float(metrics.storage_operations.labels(operation, result)._value.get())


def _errors(reason: str) -> float:
    return float(metrics.processing_errors.labels(reason)._value.get())
