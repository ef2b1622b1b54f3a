"""The stack as an experiment needs it, and as it was before."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from labkit.access import Access
from labkit.control import chaos
from labkit.control.reset import DEFAULTS
from labkit.control.watch import watching
from labkit.errors import Busy, NotReady
from labkit.experiments.declaration import STANDARD, Chaos, Stack
from labkit.runtime.base import Notify, Runtime, ignore
from labkit.stack import SERVICES, WORKER, WORKERS, Options, layout_in
from labkit.words import command
from services.common.control import Faults
from services.common.topology import IMAGE_POOLS, RETRY_DELAYS_S, WORK_QUEUES, retry_queue

HEARTBEAT_S = 30.0
CONNECT_S = 10.0

_SCALABLE = {service.name for service in SERVICES if service.scalable}


@dataclass(frozen=True, slots=True)
class Before:
    """What was chosen for a stack, every value of it said, and the faults that were in force."""

    options: Options
    faults: Faults


def remember(runtime: Runtime, access: Access) -> Before:
    """Return how the running stack is. Raises StackDown.

    Numbers of pools that do not run in the present layout are not known, and count as one.
    """
    environment = runtime.environment()
    counts = Counter(entry.service for entry in runtime.instances() if entry.service in _SCALABLE)
    options = Options(
        counts={**DEFAULTS.counts, **counts},
        layout=layout_in(environment),
        prefetch=int(environment.get("LAB_PREFETCH", "1")),
        concurrency=int(environment.get("LAB_CONCURRENCY", "1")),
        settings={name: environment.get(name, value) for name, value in STANDARD.items()},
    )
    return Before(options, chaos.show(access))


def restore(runtime: Runtime, access: Access, before: Before, notify: Notify = ignore) -> None:
    """Make the stack as it was. Raises what `Runtime.up` raises."""
    _switch(access, before.faults)
    runtime.up(before.options, notify)


def prepare(runtime: Runtime, access: Access, stack: Stack, faults: Chaos, notify: Notify = ignore) -> None:
    """Make the stack as declared, and wait until every worker has been heard.

    Raises what `Runtime.up` raises, and NotReady.
    """
    runtime.up(options(stack), notify)
    _switch(access, Faults(**faults.model_dump()))
    names = {entry.name for entry in runtime.instances() if entry.service in WORKERS}
    with watching(access.broker) as watch:
        if watch is None or not watch.wait_for(names, HEARTBEAT_S):
            raise NotReady("Not every worker was heard.", f"See: {command('logs worker')}")


def options(stack: Stack) -> Options:
    """Return the whole choice: what the declaration does not say is the default."""
    pools = {pool: stack.pools.get(pool, 1) for pool in IMAGE_POOLS}
    return Options(
        counts={**DEFAULTS.counts, **pools, WORKER: stack.workers, "api": stack.api},
        layout=stack.layout,
        prefetch=stack.prefetch,
        concurrency=stack.concurrency,
        settings={**STANDARD, **stack.settings},
    )


def require_idle(access: Access) -> None:
    """Refuse a stack with jobs in its queues: they would be measured too. Raises Busy."""
    waiting = asyncio.run(_waiting(access))
    if waiting:
        raise Busy(
            f"{waiting} jobs wait in the queues, and would disturb the measurement.",
            f"Wait until they are done, or empty the stack: {command('reset')}",
        )


async def _waiting(access: Access) -> int:
    retries = [retry_queue(queue, delay) for queue in WORK_QUEUES for delay in RETRY_DELAYS_S]
    async with access.broker() as broker:
        await broker.ready(CONNECT_S)
        depths = [await broker.depth(name) for name in (*WORK_QUEUES, *retries)]
    return sum(depth.ready for depth in depths)


def _switch(access: Access, faults: Faults) -> None:
    if chaos.show(access) != faults:
        chaos.change(access, lambda _: faults)
