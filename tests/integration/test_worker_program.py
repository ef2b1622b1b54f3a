"""The worker as a real process: what becomes of jobs when it, or the store, goes away."""

from __future__ import annotations

import asyncio
import contextlib
import io

from services.common.envelopes import job_envelope
from services.common.messages import Event, Heartbeat, Job
from services.common.topology import EVENTS, HEARTBEAT, WORK_QUEUES
from test_images import generate_sample
from tests.support.backing import Backing
from tests.support.brokers import Inbox
from tests.support.examples import job, text_job
from tests.support.programs import check_lines, connected, healthy
from tests.support.proxy import proxy_to
from tests.support.waiting import eventually

PICTURE = generate_sample.photo(320, 240, seed=1)


async def test_a_worker_does_jobs_and_tells_of_itself(environment: dict[str, str]) -> None:
    """A text and an image job are done; events, results and heartbeats say so."""
    store = Backing(environment).store("lab")
    async with connected(environment) as broker, healthy("worker", environment) as worker:
        events, beats = Inbox(), Inbox()
        await broker.listen(EVENTS, ("job.completed",), events)
        await broker.listen(EVENTS, (HEARTBEAT,), beats)
        text = text_job()
        image = job(operations="resize,160x120", original_key="originals/test")
        store.put(image.original_key, io.BytesIO(PICTURE), len(PICTURE), "image/jpeg")
        await broker.publish(job_envelope(text, "text.jobs"))
        await broker.publish(job_envelope(image, "image.jobs"))
        await eventually(lambda: len(events) == 2)
        done = {found.job_id: found for found in (Event.decode(body) for body in events.bodies)}
        assert set(done) == {text.job_id, image.job_id}
        result = done[image.job_id].outputs[0]
        assert len(store.get(result.key)) == result.size
        await eventually(lambda: beats.bodies and Heartbeat.decode(beats.bodies[-1]).done == 2)
        beat = Heartbeat.decode(beats.bodies[-1])
        assert (beat.instance, beat.url, beat.pid) == ("worker-1", worker.url, worker.process.pid)
        assert beat.queues == WORK_QUEUES
        assert worker.events().count("job_completed") == 2
        assert 'messages_consumed_total{queue="text.jobs"} 1.0' in (await worker.get("/metrics"))[1]
        store.delete("")


async def test_a_worker_finishes_its_job_before_it_ends(environment: dict[str, str]) -> None:
    """SIGTERM in the middle of a job: it is done, acknowledged, and never handed out again."""
    async with connected(environment) as broker, healthy("worker", environment) as worker:
        events = Inbox()
        await broker.listen(EVENTS, ("job.started", "job.completed"), events)
        sent = text_job(processing_time_s=1)
        await broker.publish(job_envelope(sent, "text.jobs"))
        await eventually(lambda: len(events) == 1)
        assert await worker.end() == 0
        await eventually(lambda: len(events) == 2)
        started, completed = (Event.decode(body) for body in events.bodies)
        assert (started.name, completed.name) == ("job.started", "job.completed")
        assert (
            completed.clock["finished"] - started.clock["started"] > 0.95
        )  # two readings of a clock that is being set
        rest = Inbox()
        await broker.consume("text.jobs", rest, prefetch=10)
        await broker.publish(job_envelope(marker := text_job(), "text.jobs"))
        await eventually(lambda: len(rest) == 1)
        assert Job.decode(rest.bodies[0]).job_id == marker.job_id


async def test_a_worker_retries_what_the_store_refused(environment: dict[str, str]) -> None:
    """A store that is away for a while costs an attempt, not the job."""
    store = Backing(environment).store("lab")
    image = job(operations="resize,160x120", original_key="originals/test")
    store.put(image.original_key, io.BytesIO(PICTURE), len(PICTURE), "image/jpeg")
    proxy = proxy_to(environment["LAB_S3_ENDPOINT"])
    async with connected(environment) as broker:
        events = Inbox()
        await broker.listen(EVENTS, ("job.#",), events)
        async with contextlib.AsyncExitStack() as stack:
            async with proxy.listening():
                own = {**environment, "LAB_S3_ENDPOINT": proxy.url(environment["LAB_S3_ENDPOINT"])}
                worker = await stack.enter_async_context(healthy("worker", own))
            await eventually(worker.unhealthy)
            await broker.publish(job_envelope(image, "image.jobs"))
            await eventually(lambda: "job_retried" in worker.events(), 30)
            async with proxy.listening():
                await eventually(lambda: "job_completed" in worker.events(), 30)
                await worker.end()
            check_lines(worker)
        names = [Event.decode(body).name for body in events.bodies]
        assert names[:2] == ["job.started", "job.retrying"]
        assert names[-2:] == ["job.started", "job.completed"]
        store.delete("")


async def test_a_worker_ends_while_its_store_hangs(environment: dict[str, str]) -> None:
    """A store that accepts connections and says nothing does not keep a worker from ending."""
    proxy = proxy_to(environment["LAB_S3_ENDPOINT"])
    async with proxy.listening():
        own = {**environment, "LAB_S3_ENDPOINT": proxy.url(environment["LAB_S3_ENDPOINT"])}
        async with healthy("worker", own) as worker:
            for link in proxy.links:
                link.hold("up", "down")
            proxy.holds = True
            await eventually(worker.unhealthy)
            async with asyncio.timeout(10):
                assert await worker.end() == 0
            check_lines(worker)
