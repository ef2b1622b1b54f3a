"""What is seen of a stack at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class QueueSample:
    """One queue: messages that wait and that are in hand, consumers, messages a second, age of the oldest."""

    name: str
    ready: int
    unacked: int | None = None
    consumers: int = 0
    in_per_s: float | None = None
    out_per_s: float | None = None
    oldest_s: float | None = None


@dataclass(frozen=True, slots=True)
class InstanceSample:
    """One instance: its state, what it uses, and for a worker what it does; counts since it started."""

    name: str
    service: str
    state: str
    restarts: int = 0
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    job_ids: tuple[str, ...] = ()
    stage: str = ""
    done: int | None = None
    failed: int | None = None
    retried: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A stack at the moment `at`, seconds since the epoch. `unreachable`: a sentence for each silent part."""

    at: float
    queues: tuple[QueueSample, ...] = ()
    instances: tuple[InstanceSample, ...] = ()
    dead_by_reason: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
