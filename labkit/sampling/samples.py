"""What is seen of a stack at one moment: frozen records that encode and decode themselves as JSON.

A number that is not known is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from pydantic import TypeAdapter, ValidationError

from labkit.errors import BadValue


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
    """One instance: its state, what it uses, and for a worker what it does.

    cpu_percent: of one core, children included. stage: what the job in hand is at ("process"). done, failed,
    retried: jobs since the process started; None while no heartbeat is heard.
    """

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
class StageSample:
    """How long a stage took for the jobs that ended within the last minute, by their stage clock."""

    name: str
    samples: int
    p50_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class Sample:
    """A stack at the moment `at`, seconds since the epoch.

    dead_by_reason: failed jobs. faults: a sentence for each fault that is switched on. unreachable: a
    sentence for each part that does not answer; what it would tell is missing.
    """

    at: float
    queues: tuple[QueueSample, ...] = ()
    instances: tuple[InstanceSample, ...] = ()
    dead_by_reason: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    stages: tuple[StageSample, ...] = ()

    def encode(self) -> str:
        """Return the sample as one line of JSON."""
        return _adapter().dump_json(self).decode()

    @classmethod
    def decode(cls, line: str | bytes) -> Sample:
        """Read what `encode` wrote; unknown fields are ignored. Raises BadValue."""
        try:
            return _adapter().validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "line"
            raise BadValue(
                f"This is no sample: {where}: {first['msg']}.",
                "Use a file that labctl monitor --record wrote.",
            ) from None


@cache
def _adapter() -> TypeAdapter[Sample]:
    return TypeAdapter(Sample)
