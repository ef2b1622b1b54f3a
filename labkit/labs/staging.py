"""The stack as a lab begins with it, and the files that it needs."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from labkit.access import Access
from labkit.control.reset import reset
from labkit.experiments import staging
from labkit.labs.content import EXERCISE, Lab, Picture
from labkit.runtime.base import Notify, Runtime, ignore
from services.common.messages import Status
from services.common.topology import DEAD_LETTER, RETRY_DELAYS_S, WORK_QUEUES, retry_queue
from test_images import generate_sample

_CONNECT_S = 10.0
_UNDER_WAY: tuple[Status, ...] = ("queued", "processing", "retrying")
_DRAWN = {"photo": generate_sample.photo, "text": generate_sample.text, "grid": generate_sample.grid}


def prepare(runtime: Runtime, access: Access, lab: Lab, notify: Notify = ignore) -> None:
    """Empty the stack if anything waits in it, and make it as the lab declares.

    Raises what `Runtime.up` raises, NotReady and StackDown.
    """
    if is_busy(access):
        reset(runtime, access, notify)
    stack = lab.file.stack
    staging.prepare(runtime, access, stack, stack.faults, notify)


def provide(lab: Lab, here: Path) -> None:
    """Put the lab's pictures, and the exercise to be written on, into the student's folder.

    What is there already is left alone: it may be a student's work.
    """
    here.mkdir(parents=True, exist_ok=True)
    for picture in lab.file.picture:
        _draw(picture, here)
    if lab.has_code and not (here / EXERCISE).exists():
        shutil.copyfile(lab.folder / EXERCISE, here / EXERCISE)


def put_aside(path: Path) -> Path | None:
    """Move a student's file out of the way, under the next free name; None when there is none."""
    if not path.exists():
        return None
    numbers = (path.with_name(f"{path.stem}-before-{number}{path.suffix}") for number in range(1, 1000))
    aside = next(name for name in numbers if not name.exists())
    path.replace(aside)
    return aside


def _draw(picture: Picture, here: Path) -> None:
    for number in range(1, picture.count + 1):
        path = here / picture.file.format(f"{number:02}")
        if path.exists():
            continue
        if picture.kind == "truncated":
            path.write_bytes(generate_sample.corrupt("truncated", seed=number))
        else:
            path.write_bytes(_DRAWN[picture.kind](picture.width, picture.height, seed=number))


def is_busy(access: Access) -> bool:
    """Whether jobs wait, are being done, or lie in the dead-letter queue."""
    table = access.jobs()
    try:
        counts = table.count_by_status()
    finally:
        table.close()
    if any(counts.get(status) for status in _UNDER_WAY):
        return True
    return asyncio.run(_waiting(access)) > 0


async def _waiting(access: Access) -> int:
    retries = [retry_queue(queue, delay) for queue in WORK_QUEUES for delay in RETRY_DELAYS_S]
    async with access.broker() as broker:
        await broker.ready(_CONNECT_S)
        depths = await asyncio.gather(*map(broker.depth, (*WORK_QUEUES, *retries, DEAD_LETTER)))
    return sum(depth.ready for depth in depths)
