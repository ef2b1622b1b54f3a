"""Breaking things on purpose: who is hit, what it held, and bringing it back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from labkit.access import Access
from labkit.control.marks import mark
from labkit.control.watch import Watch, watching
from labkit.errors import NotRunning, StackDown, UnknownName
from labkit.runtime.base import Instance, Runtime, State
from labkit.stack import WORKERS

FIRST_BEAT_S = 1.5


@dataclass(frozen=True)
class Victim:
    """An instance as it was when it was killed, and the jobs it held; None when that is not known."""

    instance: Instance
    job_ids: tuple[str, ...] | None


def targets(runtime: Runtime, name: str) -> list[Instance]:
    """Return the instance called `name`, or all instances of the service `name`.

    Raises UnknownName and StackDown.
    """
    everyone = runtime.instances()
    if not everyone:
        raise StackDown.of(runtime.project.name)
    found = [entry for entry in everyone if name in (entry.name, entry.service)]
    if not found:
        known = [*dict.fromkeys(entry.service for entry in everyone), *(entry.name for entry in everyone)]
        raise UnknownName.of("service or instance", name, known)
    return found


def workers(runtime: Runtime) -> list[Instance]:
    """Return all workers, of whatever pool. Raises StackDown and NotRunning."""
    everyone = runtime.instances()
    if not everyone:
        raise StackDown.of(runtime.project.name)
    found = [entry for entry in everyone if entry.service in WORKERS]
    if not found:
        raise NotRunning("No worker is running.", "Start one: labctl scale worker=1")
    return found


def alive(instances: Sequence[Instance]) -> list[Instance]:
    """Return those that have a process to hit. Raises NotRunning when there is none."""
    found = [entry for entry in instances if entry.state not in (State.STOPPED, State.EXITED)]
    if not found:
        raise NotRunning.of(instances[0].name, instances[0].state)
    return found


def choose(instances: Sequence[Instance], chance: random.Random) -> list[Instance]:
    """Pick one at random."""
    return [chance.choice(instances)]


def kill(
    runtime: Runtime, access: Access, victims: Sequence[Instance], *, respawn: bool = True
) -> list[Victim]:
    """Kill each of `victims` at once, and tell what each worker among them held in that moment.

    Leaves a mark for each.
    """
    if all(entry.service not in WORKERS for entry in victims):
        return [_kill(runtime, None, entry, respawn=respawn) for entry in victims]
    with watching(access.broker) as watch:
        if watch is not None:
            watch.wait_for({entry.name for entry in victims if entry.service in WORKERS}, FIRST_BEAT_S)
        return [_kill(runtime, watch, entry, respawn=respawn) for entry in victims]


def _kill(runtime: Runtime, watch: Watch | None, victim: Instance, *, respawn: bool) -> Victim:
    killed = crash(runtime, victim.name, respawn=respawn)
    # Asked afterwards, so that its very last words count too; its successor needs longer to speak.
    return Victim(killed, watch.in_hand(victim.name) if watch is not None else None)


def crash(runtime: Runtime, name: str, *, respawn: bool = True) -> Instance:
    """Kill an instance, and leave a mark; with `respawn=False` it stays down until `start`."""
    killed = runtime.kill(name, respawn=respawn)
    mark(runtime.project, "kill", f"{name} killed", name)
    return killed


def start(runtime: Runtime, name: str) -> None:
    """Start an instance that is held down, and leave a mark."""
    begun = time.time()
    runtime.start(name)
    mark(runtime.project, "back", f"{name} is back", name, begun)


def pause(runtime: Runtime, name: str) -> None:
    """Freeze an instance, and leave a mark."""
    runtime.pause(name)
    mark(runtime.project, "pause", f"{name} paused", name)


def resume(runtime: Runtime, name: str) -> None:
    """Let a paused instance go on, and leave a mark."""
    runtime.resume(name)
    mark(runtime.project, "resume", f"{name} goes on", name)


def restart(runtime: Runtime, name: str) -> None:
    """End an instance politely and start it again, and leave a mark."""
    begun = time.time()
    runtime.restart(name)
    mark(runtime.project, "restart", f"{name} restarted", name, begun)


@contextmanager
def brought_back(runtime: Runtime, names: Sequence[str]) -> Iterator[None]:
    """Start `names` again at the end, also when the wait in between is cut short; leave a mark for each."""
    try:
        yield
    finally:
        for name in names:
            start(runtime, name)


def seconds_left(total_s: float, clock: Callable[[], float] = time.monotonic) -> Iterator[float]:
    """Count down: yield what is left about ten times a second, until nothing is."""
    end = clock() + total_s
    while (left := end - clock()) > 0:
        yield left
        time.sleep(min(0.1, left))
