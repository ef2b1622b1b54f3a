"""The load generator as the measuring process sees it: a process that sends, and reports as answers come."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import IO, TYPE_CHECKING

from labkit.errors import ApiUnreachable, LabError
from labkit.load.records import Record
from labkit.load.requests import Request, requests
from labkit.load.wire import Ended, Frame, Plan, Ready, Report, read, write
from labkit.load.workloads import Workload
from labkit.project import REPOSITORY
from labkit.settings import base_environment

if TYPE_CHECKING:
    from labkit.client import ApiClient

CREATED, CONFLICT = 201, 409
TRIES = 60  # half a minute: a broker that was killed is back after 6 to 14 s, later on a busy machine
PAUSE_S = 0.5
END_S = 5.0


class Generator:
    """A sending process that is ready to start."""

    def __init__(
        self, process: subprocess.Popen[bytes], orders: IO[bytes], frames: asyncio.Queue[Frame | None]
    ) -> None:
        self._process = process
        self._orders = orders
        self._frames = frames

    async def run(self, begin_at: float, take: Callable[[Sequence[Report]], None]) -> float:
        """Send everything, the first job at `begin_at` or when it is due; give reports to `take`.

        Return the CPU seconds that sending took.
        """
        with contextlib.suppress(BrokenPipeError):  # then there is no frame to come
            write(self._orders, begin_at)
        while True:
            frame = await self._frame()
            if isinstance(frame, Ended):
                return frame.cpu_s
            if isinstance(frame, list):
                take(frame)

    async def stop(self, take: Callable[[Sequence[Report]], None]) -> None:
        """Send nothing more; what is known of open requests still goes to `take`."""
        with contextlib.suppress(OSError):
            self._orders.close()
        with contextlib.suppress(TimeoutError, LabError):
            async with asyncio.timeout(END_S):
                while not isinstance(frame := await self._frame(), Ended):
                    if isinstance(frame, list):
                        take(frame)

    async def _frame(self) -> Frame:
        frame = await self._frames.get()
        if frame is None:
            raise LabError("The load generator ended by itself.", "Its last words are above; run it again.")
        return frame


@contextlib.asynccontextmanager
async def generating(plan: Plan) -> AsyncIterator[Generator]:
    """Start a sending process for the plan, and wait until it is ready; it ends with the block."""
    command = [sys.executable, "-m", "labkit.load.sender"]
    process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own program; starting it takes a millisecond
        command, cwd=REPOSITORY, env=base_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    orders, answers = process.stdin, process.stdout
    if orders is None or answers is None:
        raise RuntimeError("a process without pipes")
    frames: asyncio.Queue[Frame | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    reader = threading.Thread(target=_read, args=(answers, loop, frames.put_nowait), name="reports")
    reader.start()
    try:
        generator = Generator(process, orders, frames)
        await asyncio.to_thread(write, orders, plan)
        if not isinstance(await generator._frame(), Ready):  # noqa: SLF001 - the other half of this module
            raise TypeError("the first word of a sending process is: ready")
        yield generator
    finally:
        with contextlib.suppress(OSError):
            orders.close()
        await asyncio.to_thread(_end, process)
        reader.join()
        answers.close()


def _read(answers: IO[bytes], loop: asyncio.AbstractEventLoop, put: Callable[[Frame | None], None]) -> None:
    frame: Frame | None
    while True:
        try:
            frame = read(answers)  # type: ignore[assignment]  # what wire.py says
        except (EOFError, OSError):
            frame = None
        with contextlib.suppress(RuntimeError):  # the loop is gone, and nobody waits
            loop.call_soon_threadsafe(put, frame)
        if frame is None:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def settle(client: ApiClient, workload: Workload, records: Sequence[Record]) -> None:
    """Send those again whose answer is unknown, under the same key: the API then tells the same job.

    What is unknown after `TRIES` rounds stays so.
    """
    for _ in range(TRIES):
        unknown = [record for record in records if record.unknown]
        if not unknown:
            return
        await asyncio.sleep(PAUSE_S)
        jobs, keys = [record.planned for record in unknown], [record.key for record in unknown]
        again = await requests(jobs, workload.images, keys)
        for record, request in zip(unknown, again, strict=True):
            record.resent += 1
            await _ask(client, request, record)


async def _ask(client: ApiClient, request: Request, record: Record) -> None:
    try:
        answer = await client.post(request.path, request.body, request.headers)
    except ApiUnreachable as error:
        record.error = error.message
        return
    record.status_code, record.job_id, record.error = answer.status, answer.job_id, answer.error
    if answer.status == CONFLICT and record.planned.kind == "text":
        # The first request was carried out, and only its answer got lost: the job is there.
        record.status_code, record.job_id = CREATED, record.key
