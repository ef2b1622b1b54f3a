"""Changing how often a service runs, and seeing that the new ones work."""

from __future__ import annotations

import time
from dataclasses import dataclass

from labkit.access import Access
from labkit.control.marks import mark
from labkit.control.watch import Watch, watching
from labkit.runtime.base import Notify, Runtime, State, ignore
from labkit.stack import WORKERS

HEARTBEAT_WAIT_S = 30.0


@dataclass(frozen=True)
class Scaled:
    """What `scale` did; `heard`: whether each worker has sent a heartbeat, None when nobody listened."""

    service: str
    before: int
    after: int
    seconds: float
    heard: bool | None


def scale(runtime: Runtime, access: Access, service: str, count: int, notify: Notify = ignore) -> Scaled:
    """Run `service` `count` times and wait until each is ready; a worker is when its heartbeat is heard.

    Leaves a mark. Raises what `Runtime.scale` raises.
    """
    begun = time.time()
    before = len(_names(runtime, service))
    if service not in WORKERS or count <= before:
        done = _scale(runtime, None, service, before, count, notify)
    else:
        with watching(access.broker) as watch:
            done = _scale(runtime, watch, service, before, count, notify)
    if count != before:
        mark(runtime.project, "scale", f"{service}: {before} → {count}", service, begun)
    return done


def _scale(
    runtime: Runtime, watch: Watch | None, service: str, before: int, count: int, notify: Notify
) -> Scaled:
    started = time.monotonic()
    runtime.scale(service, count, notify)
    heard = None
    if watch is not None:
        awake = _names(runtime, service, but=(State.PAUSED, State.STOPPED))
        heard = watch.wait_for(awake, HEARTBEAT_WAIT_S)
    return Scaled(service, before, count, time.monotonic() - started, heard)


def _names(runtime: Runtime, service: str, but: tuple[State, ...] = ()) -> set[str]:
    return {
        found.name for found in runtime.instances() if found.service == service and found.state not in but
    }
