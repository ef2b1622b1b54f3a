"""The whole stack at a glance, as far as it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from labkit.access import Access
from labkit.errors import StackDown
from labkit.runtime.base import Instance, Runtime
from labkit.stack import DEFAULT_LAYOUT, layout_in
from services.common.control import Faults, read_faults
from services.common.errors import BrokerUnavailable, DatabaseUnavailable, QueueLabError
from services.common.threads import detached
from services.common.topology import DEAD_LETTER, WORK_QUEUES, Layout

ANSWER_S = 3.0


@dataclass(frozen=True)
class QueueDepth:
    """A queue: messages that wait, consumers that listen."""

    name: str
    ready: int
    consumers: int


@dataclass(frozen=True)
class Overview:
    """What is known of a stack: `queues`, `jobs` (by status) and `faults` are None when nobody tells them.

    unreachable: one sentence for each part that does not answer.
    """

    project: str
    port_offset: int
    instances: tuple[Instance, ...]
    queues: tuple[QueueDepth, ...] | None
    jobs: Mapping[str, int] | None
    unreachable: tuple[str, ...]
    layout: Layout = DEFAULT_LAYOUT
    faults: Faults | None = None


def look(runtime: Runtime, access: Access) -> Overview:
    """Ask the runtime, the broker and the job table. Raises StackDown."""
    instances = runtime.instances()
    if not instances:
        raise StackDown.of(runtime.project.name)
    unreachable: list[str] = []
    return Overview(
        project=runtime.project.name,
        port_offset=runtime.project.port_offset,
        instances=tuple(instances),
        queues=_queues(access, unreachable),
        jobs=_jobs(access, unreachable),
        faults=_faults(access, unreachable),
        unreachable=tuple(unreachable),
        layout=layout_in(runtime.environment()),
    )


def _queues(access: Access, unreachable: list[str]) -> tuple[QueueDepth, ...] | None:
    try:
        return asyncio.run(_depths(access))
    except BrokerUnavailable as error:
        unreachable.append(f"queues: {error}")
        return None


async def _depths(access: Access) -> tuple[QueueDepth, ...]:
    names = (*WORK_QUEUES, DEAD_LETTER)
    async with access.broker() as broker:
        await broker.ready(ANSWER_S)
        depths = await asyncio.gather(*map(broker.depth, names))
    return tuple(
        QueueDepth(name, depth.ready, depth.consumers) for name, depth in zip(names, depths, strict=True)
    )


def _faults(access: Access, unreachable: list[str]) -> Faults | None:
    async def read() -> Faults:
        async with asyncio.timeout(ANSWER_S):
            return await detached(lambda: read_faults(access.store()))

    try:
        return asyncio.run(read())
    except (QueueLabError, TimeoutError) as error:
        unreachable.append(f"faults: {error or 'the object store does not answer'}")
        return None


def _jobs(access: Access, unreachable: list[str]) -> Mapping[str, int] | None:
    table = access.jobs()
    try:
        return {str(status): count for status, count in table.count_by_status().items()}
    except DatabaseUnavailable as error:
        unreachable.append(f"jobs: {error}")
        return None
    finally:
        table.close()
