"""Back to the state of a fresh stack: no jobs, no messages, no objects, default settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from labkit.access import Access
from labkit.errors import NotReady, StackDown
from labkit.runtime.base import Notify, Runtime, State, ignore
from labkit.stack import DEFAULT_LAYOUT, SERVICES, Options
from labkit.words import command
from services.common.broker import Broker
from services.common.errors import QueueLabError
from services.common.topology import declarations

DEFAULTS = Options(
    counts={service.name: 1 for service in SERVICES if service.scalable},
    layout=DEFAULT_LAYOUT,
    prefetch=1,
    concurrency=1,
)
"""What a stack has when nothing was chosen."""

# Whoever publishes or consumes stands still meanwhile, so that nothing comes back behind the broom.
PROGRAMS = tuple(service.name for service in SERVICES if service.readiness == "health")
PREFIXES = ("originals/", "uploads/", "results/", "control/")

_BROKER_S = 10.0
_EMPTY_S = 10.0
_POLL_S = 0.1


@dataclass(frozen=True)
class Swept:
    """Numbers of what was removed."""

    messages: int
    jobs: int
    objects: int


def reset(runtime: Runtime, access: Access, notify: Notify = ignore) -> Swept:
    """Stop the programs, empty queues, job table and store, and start with the default settings.

    The programs start again even when the sweeping fails. Raises StackDown, NotReady and what
    `Runtime.up` raises.
    """
    if not runtime.instances():
        raise StackDown.of(runtime.project.name)
    for entry in runtime.instances():
        if entry.service in PROGRAMS and entry.state != State.STOPPED:
            runtime.stop(entry.name)
    try:
        return _sweep(access)
    except QueueLabError as error:
        raise NotReady(f"The stack could not be emptied: {error}.", f"See: {command('status')}") from error
    finally:
        runtime.up(DEFAULTS, notify)


def _sweep(access: Access) -> Swept:
    messages = asyncio.run(_empty_queues(access.broker))
    table = access.jobs()
    try:
        jobs = table.clear()
    finally:
        table.close()
    store = access.store()
    return Swept(messages, jobs, sum(map(store.delete, PREFIXES)))


async def _empty_queues(open_broker: Callable[[], Broker]) -> int:
    names = [queue.name for queue in declarations().queues]
    async with open_broker() as broker:
        await broker.ready(_BROKER_S)
        return await _purge(broker, names)


async def _purge(broker: Broker, names: list[str]) -> int:
    """Purge until all are empty: what a stopped consumer held comes back to its queue a little later."""
    removed = 0
    deadline = time.monotonic() + _EMPTY_S
    while time.monotonic() < deadline:
        removed += sum([await broker.purge(name) for name in names])
        depths = [await broker.depth(name) for name in names]
        if not any(depth.ready or depth.consumers for depth in depths):
            return removed
        await asyncio.sleep(_POLL_S)
    return removed
