"""Trying out a student's consumer: messages, the program as a process, a kill on the way, and the account.

The program gets the broker's address in LAB_AMQP_URL and the queue's name as its argument, and prints
`done N` when it has done message N. It is killed after so many of them, and then started again.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit.settings import base_environment
from services.common.amqp import AmqpBroker
from services.common.broker import Outgoing
from services.common.topology import Declarations, Queue

MESSAGES, KILL_AFTER = 100, 10
WORK_S = 0.05

_CONNECT_S = 10.0
_FIRST_S = 8.0
"""For a program that does not come to its tenth message: so long may it say nothing."""
_QUIET_S = 2.0
_BACK_S = 5.0
_EXPIRES_MS = 600_000
_POLL_S = 0.05
_DONE = re.compile(r"done (\d+)")
_LAST_LINES = 3


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it: numbers of messages.

    before: done when the program was killed. ready: waiting in the queue shortly before. back: waiting
    afterwards. processed: done at least once. duplicated: more than once. output: the program's last words.
    """

    sent: int
    before: int
    ready: int
    back: int
    processed: int
    duplicated: int
    output: str = ""

    @property
    def lost(self) -> int:
        """Messages that nobody did."""
        return self.sent - self.processed

    @property
    def handed_out(self) -> int:
        """Messages that the program was given beyond those that it had done."""
        return self.sent - self.before - self.ready


def try_out(program: Path, url: str, told: Callable[[str], None] = lambda _: None) -> Trial:
    """Send messages to the broker at `url`, run the program, kill it, run it again; about 7 s.

    `told` hears how far it is. Raises BrokerUnavailable.
    """
    return asyncio.run(_try_out(program, url, told))


async def _try_out(program: Path, url: str, told: Callable[[str], None]) -> Trial:
    name = f"lab.exercise.{uuid.uuid4().hex[:8]}"
    queue = Queue(name, {"x-queue-type": "quorum", "x-expires": _EXPIRES_MS})
    async with AmqpBroker(url, name="labctl", topology=Declarations((), (queue,))) as broker:
        await broker.ready(_CONNECT_S)
        try:
            told(f"sending {MESSAGES} messages")
            await asyncio.gather(*(broker.publish(_message(name, n)) for n in range(1, MESSAGES + 1)))
            return await _two_lives(broker, program, url, name, told)
        finally:
            await broker.delete(name)


async def _two_lives(
    broker: AmqpBroker, program: Path, url: str, queue: str, told: Callable[[str], None]
) -> Trial:
    with _running(program, url, queue, kill_after=KILL_AFTER) as first:
        ready = MESSAGES
        while not first.ended(_FIRST_S):
            told(f"your program: {len(first.done)} done, to be killed after {KILL_AFTER}")
            if first.done:
                ready = (await broker.depth(queue)).ready
            await asyncio.sleep(_POLL_S)
    # What was handed out before the kill, and not since then.
    ready = min(ready, MESSAGES - len(first.done))
    back = await _back(broker, queue)
    with _running(program, url, queue) as second:
        while not second.ended(_QUIET_S if second.done else _FIRST_S) and len(second.done) < back:
            told(f"killed; started again: {len(second.done)} of {back} done")
            await asyncio.sleep(_POLL_S)
    counts = Counter([*first.done, *second.done])
    return Trial(
        sent=MESSAGES,
        before=len(first.done),
        ready=ready,
        back=back,
        processed=len(counts),
        duplicated=sum(count > 1 for count in counts.values()),
        output="\n".join([*first.lines, *second.lines][-_LAST_LINES:]),
    )


async def _back(broker: AmqpBroker, queue: str) -> int:
    """Return the depth when the broker has seen that the program is gone."""
    end = time.monotonic() + _BACK_S
    while True:
        depth = await broker.depth(queue)
        if not depth.consumers or time.monotonic() > end:
            return depth.ready
        await asyncio.sleep(_POLL_S)


def _message(queue: str, number: int) -> Outgoing:
    body = json.dumps({"number": number, "work_s": WORK_S}).encode()
    return Outgoing(exchange="", routing_key=queue, body=body, message_id=f"{queue}-{number}", mandatory=True)


class _Life:
    """One run of the program: what it has done, and what else it says."""

    def __init__(self, process: subprocess.Popen[str], kill_after: int | None) -> None:
        self._process = process
        self._kill_after = kill_after
        self._spoken = time.monotonic()
        self.done: list[int] = []
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, name="exercise", daemon=True)
        self.reader.start()

    def ended(self, quiet_s: float) -> bool:
        """Whether it is over, or has not done anything for so long."""
        return not self.reader.is_alive() or time.monotonic() - self._spoken > quiet_s

    def _read(self) -> None:
        for line in self._process.stdout or ():
            found = _DONE.fullmatch(line.strip())
            if found is None:
                self.lines.append(line.rstrip())
                continue
            self.done.append(int(found[1]))
            self._spoken = time.monotonic()
            if len(self.done) == self._kill_after:
                # In the middle of the next message: between two of them nothing is in its hands.
                time.sleep(WORK_S / 2)
                self._process.kill()


@contextmanager
def _running(program: Path, url: str, queue: str, kill_after: int | None = None) -> Iterator[_Life]:
    process = subprocess.Popen(  # noqa: S603  (the student's own program, on the student's machine)
        [sys.executable, "-u", str(program), queue],
        cwd=program.parent,
        env={**base_environment(), "LAB_AMQP_URL": url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    life = _Life(process, kill_after)
    try:
        yield life
    finally:
        process.kill()
        process.wait()
        life.reader.join(_CONNECT_S)
        if process.stdout is not None:
            process.stdout.close()
