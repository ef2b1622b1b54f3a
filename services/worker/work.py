"""The work itself: an image job is get, transform, put; a text job holds its consumer for a while."""

from __future__ import annotations

import asyncio
import io
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from services.common import metrics
from services.common.messages import Clock, Job, Output, Stage
from services.common.storage import ObjectStore, output_key
from services.worker.faults import FaultSwitch
from services.worker.processors import parse_operations, process


@dataclass(frozen=True, slots=True)
class Done:
    """What an attempt produced, and when each stage ended."""

    outputs: tuple[Output, ...]
    clock: Clock


class Workshop:
    """Does jobs off the event loop, so that the broker's heartbeats are served meanwhile.

    `max_pixels` bounds decoded images, `max_processing_time_s` text and sleep jobs; `concurrency` is the
    number of threads.
    """

    def __init__(
        self,
        store: ObjectStore,
        faults: FaultSwitch,
        *,
        max_pixels: int,
        max_processing_time_s: float,
        concurrency: int,
    ) -> None:
        self._store = store
        self._faults = faults
        self._max_pixels = max_pixels
        self._max_processing_time_s = max_processing_time_s
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="job")
        self.stages: dict[str, str] = {}
        """What each job in hand is at: fetch, process or store."""

    async def do(self, job: Job) -> Done:
        """Do a job; raise a `PermanentError` or a `TransientError` that says why it cannot be done."""
        self.stages[job.job_id] = "process" if job.kind == "text" else "fetch"
        try:
            await self._faults.before(job)
            if job.kind == "text":
                await asyncio.sleep(min(job.processing_time_s, self._max_processing_time_s))
                return Done((), {"processed": time.time()})
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._do_image, job)
        finally:
            self.stages.pop(job.job_id, None)

    def close(self) -> None:
        """Let running jobs end."""
        self._threads.shutdown()

    def _do_image(self, job: Job) -> Done:
        clock: Clock = {}
        self._faults.before_storage()
        with metrics.storage_call("get"):
            original = self._store.get(job.original_key)
        _tick(clock, "fetched")
        self.stages[job.job_id] = "process"
        operations = parse_operations(job.operations)
        made = process(original, operations, max_pixels=self._max_pixels).outputs
        _tick(clock, "processed")
        self.stages[job.job_id] = "store"
        outputs = []
        for image in made:
            key = output_key(job.job_id, image.name)
            self._faults.before_storage()
            with metrics.storage_call("put"):
                self._store.put(key, io.BytesIO(image.data), len(image.data), image.content_type)
            outputs.append(
                Output(
                    name=image.name,
                    key=key,
                    content_type=image.content_type,
                    size=len(image.data),
                    width=image.width,
                    height=image.height,
                )
            )
        _tick(clock, "stored")
        return Done(tuple(outputs), clock)


def _tick(clock: Clock, stage: Stage) -> None:
    clock[stage] = time.time()
