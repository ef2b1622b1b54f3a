"""Switching faults on and off while the stack runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from labkit.access import Access
from labkit.control.marks import mark
from labkit.errors import BadValue, UnknownName
from labkit.project import Project
from services.common.control import MAX_DELAY_S, Faults, announce_faults, read_faults, write_faults

READY_TIMEOUT_S = 5.0

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)?")


def show(access: Access) -> Faults:
    """Return the faults in force."""
    return read_faults(access.store())


def change(access: Access, update: Callable[[Faults], Faults], project: Project | None = None) -> Faults:
    """Put other faults into force, tell the workers, and return them; leave a mark for `project`."""
    store = access.store()
    faults = update(read_faults(store))
    write_faults(store, faults)

    async def tell() -> None:
        async with access.broker() as broker:
            await broker.ready(READY_TIMEOUT_S)
            await announce_faults(broker)

    asyncio.run(tell())
    if project is not None:
        mark(project, "chaos", "; ".join(sentences(faults)) or "no fault")
    return faults


def sentences(faults: Faults) -> tuple[str, ...]:
    """Say what goes wrong on purpose, a few words for each fault; empty when nothing does."""
    parts = [f"{100 * faults.fail_rate:g}% of attempts fail"] if faults.fail_rate else []
    parts += [f"{name} takes {_time(seconds)} longer" for name, seconds in faults.delays_s.items()]
    if faults.store_latency_s:
        parts.append(f"each store call takes {_time(faults.store_latency_s)} longer")
    return tuple(parts)


def fail_rate(share: float) -> Callable[[Faults], Faults]:
    """Let this share of all attempts fail, 0 to 1."""
    return lambda faults: faults.model_copy(update={"fail_rate": share})


def delay(assignments: list[str]) -> Callable[[Faults], Faults]:
    """Let jobs with an operation take longer: `convert=500ms`; `convert=0` takes it away."""
    wanted = dict(map(_assignment, assignments))
    for name in wanted:
        _check_name(name)

    def update(faults: Faults) -> Faults:
        merged = {**faults.delays_s, **wanted}
        return faults.model_copy(update={"delays_s": {name: s for name, s in merged.items() if s}})

    return update


def store_latency(text: str) -> Callable[[Faults], Faults]:
    """Let each call of a worker to the object store take longer: `100ms`."""
    seconds = duration_s(text)
    return lambda faults: faults.model_copy(update={"store_latency_s": seconds})


def clear(_: Faults) -> Faults:
    """Let nothing go wrong any more."""
    return Faults()


def duration_s(text: str) -> float:
    """Read `500ms`, `2s` or `2` (seconds). Raises BadValue."""
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else -1.0
    if not 0 <= seconds <= MAX_DELAY_S:
        raise BadValue(
            f"{text!r} is no time that can be used.", f"Write 500ms or 2s, up to {MAX_DELAY_S:g}s."
        )
    return seconds


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:g} s"


def _check_name(name: str) -> None:
    from services.worker.processors import catalogue  # noqa: PLC0415 - slow

    known = ["text", *catalogue()]
    if name not in known:
        raise UnknownName.of("operation", name, known)


def _assignment(text: str) -> tuple[str, float]:
    name, equals, time = text.partition("=")
    if not (name and equals):
        raise BadValue(f"{text!r} names no operation and time.", "Write it like convert=500ms.")
    return name, duration_s(time)
