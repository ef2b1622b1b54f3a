"""The sending process. It does nothing else, so that jobs leave in time and cost little.

Whatever else a measurement does (reading events, drawing the screen, writing files) happens in the process
that started this one; with a common interpreter lock each of these would hold up sends. Bodies are built and
connections opened before the start; what is in memory by then, the garbage collector leaves alone.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from labkit.client import ApiClient
from labkit.errors import ApiUnreachable
from labkit.load.arrivals import ClosedLoop, OpenLoop
from labkit.load.requests import Request, requests
from labkit.load.wire import Ended, Plan, Ready, Report, read, write

TELL_EVERY_S = 0.05


class Sender:
    """Sends the jobs of a plan; `tell` gets the reports, a few at a time."""

    def __init__(self, plan: Plan, client: ApiClient, tell: Callable[[list[Report]], None]) -> None:
        self._plan = plan
        self._client = client
        self._tell = tell
        self._requests: list[Request] = []
        self._slots = asyncio.Semaphore(plan.max_in_flight)
        self._reports: list[Report] = []
        self._open: dict[int, Report] = {}

    async def prepare(self) -> None:
        """Build all bodies and open connections, so that no send has to wait for that."""
        workload = self._plan.workload
        self._requests = await requests(workload.jobs, workload.images, self._plan.keys)
        with suppress(ApiUnreachable):  # the sends will tell
            await asyncio.gather(*(self._client.get("/live") for _ in range(self._plan.warm)))
        gc.collect()
        gc.freeze()

    async def send(self, begin_at: float) -> None:
        """Send everything, beginning at `begin_at`; a cancelled one reports what is still without answer."""
        arrivals = self._plan.arrivals
        telling = asyncio.create_task(self._tell_forever())
        try:
            if isinstance(arrivals, OpenLoop):
                await self._open_loop(arrivals, begin_at)
            else:
                await self._closed_loop(arrivals, begin_at)
        finally:
            telling.cancel()
            self._tell([*self._reports, *self._open.values()])

    async def _open_loop(self, arrivals: OpenLoop, begin_at: float) -> None:
        async with asyncio.TaskGroup() as group:
            for index, offset in enumerate(arrivals.offsets_s):
                due = begin_at + offset
                if (wait := due - time.time()) > 0:
                    await asyncio.sleep(wait)
                group.create_task(self._timely(index, due))

    async def _timely(self, index: int, due: float) -> None:
        held = self._slots.locked()
        try:
            async with asyncio.timeout(self._plan.drop_after_s):
                await self._slots.acquire()
        except TimeoutError:
            error = f"dropped: {self._plan.max_in_flight} requests were open"
            self._reports.append(Report(index, due, None, None, None, "", error, held))
            return
        try:
            await self._send(index, due, held=held)
        finally:
            self._slots.release()

    async def _closed_loop(self, arrivals: ClosedLoop, begin_at: float) -> None:
        await asyncio.sleep(begin_at - time.time())
        numbers = iter(range(len(self._requests)))

        async def in_turn() -> None:
            for index in numbers:
                await self._send(index, time.time())

        async with asyncio.TaskGroup() as group:
            for _ in range(arrivals.concurrency):
                group.create_task(in_turn())

    async def _send(self, index: int, due: float, *, held: bool = False) -> None:
        request = self._requests[index]
        sent_at = time.time()
        open_request = Report(index, due, sent_at, None, None, "", "no answer when the run ended", held)
        self._open[index] = open_request
        try:
            answer = await self._client.post(request.path, request.body, request.headers)
        except ApiUnreachable as error:
            report = open_request._replace(answered_at=time.time(), error=error.message)
        else:
            report = open_request._replace(
                answered_at=time.time(), status=answer.status, job_id=answer.job_id, error=answer.error
            )
        del self._open[index]
        self._reports.append(report)

    async def _tell_forever(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            if self._reports:
                reports, self._reports = self._reports, []
                self._tell(reports)


async def _work(plan: Plan, orders: IO[bytes], answers: IO[bytes]) -> None:
    async with ApiClient(plan.api_url, plan.entry) as client:
        sender = Sender(plan, client, lambda reports: write(answers, reports))
        await sender.prepare()
        write(answers, Ready())
        begin_at = await asyncio.to_thread(read, orders)
        if not isinstance(begin_at, float):
            return
        begun = time.process_time()
        sending = asyncio.create_task(sender.send(begin_at))
        _stop_with(orders, sending)
        with suppress(asyncio.CancelledError):
            await sending
        write(answers, Ended(time.process_time() - begun))


def _stop_with(orders: IO[bytes], sending: asyncio.Task[None]) -> None:
    """Cancel the sending when the pipe is closed, also by the death of the process behind it."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        os.read(orders.fileno(), 1)  # unbuffered: a buffer in use would not let the interpreter end
        with suppress(RuntimeError):  # all is sent, and the loop is gone
            loop.call_soon_threadsafe(sending.cancel)

    threading.Thread(target=watch, name="orders", daemon=True).start()


def _loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.SelectorEventLoop()
    import uvloop  # noqa: PLC0415 - no wheel for Windows

    return uvloop.new_event_loop()


def main() -> None:
    """Take a plan from standard input, send it, and report on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the other process says when to stop
    orders, answers = sys.stdin.buffer, sys.stdout.buffer
    with suppress(EOFError, BrokenPipeError):
        plan = read(orders)
        if isinstance(plan, Plan):
            with asyncio.Runner(loop_factory=_loop) as runner:
                runner.run(_work(plan, orders, answers))


if __name__ == "__main__":
    main()
