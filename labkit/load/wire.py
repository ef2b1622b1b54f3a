"""What the measuring process and the sending process tell each other, pickled, through two pipes.

measuring ─▶ sending   Plan, then the start (seconds since the epoch); a closed pipe means: stop
sending ─▶ measuring   Ready, then lists of Report as answers come, then Ended
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, NamedTuple

from labkit.load.arrivals import Arrivals
from labkit.load.workloads import Workload
from labkit.passes import NOBODY, Pass

MAX_IN_FLIGHT = 512
DROP_AFTER_S = 10.0
WARM_CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, and when; `keys` are the idempotency keys, one a job.

    At most `max_in_flight` requests are open at once. A job that is due while they are waits for its turn,
    and is dropped after `drop_after_s` seconds. `warm` connections are opened before the start. `entry` lets
    into the API.
    """

    api_url: str
    workload: Workload
    arrivals: Arrivals
    keys: Sequence[str]
    max_in_flight: int = MAX_IN_FLIGHT
    drop_after_s: float = DROP_AFTER_S
    warm: int = WARM_CONNECTIONS
    entry: Pass = NOBODY


class Ready(NamedTuple):
    """The bodies are built and the connections are warm."""


class Report(NamedTuple):
    """What became of the send of job `number`; times are seconds since the epoch.

    sent_at is None for a dropped job, answered_at when the run ended before, status when no answer came.
    held: it was due while as many requests were open as there may be.
    """

    number: int
    intended_at: float
    sent_at: float | None
    answered_at: float | None
    status: int | None
    job_id: str
    error: str
    held: bool = False


class Ended(NamedTuple):
    """Nothing more is sent. `cpu_s`: CPU seconds that the sending took, from the start."""

    cpu_s: float


Frame = Ready | list[Report] | Ended


def write(stream: IO[bytes], message: object) -> None:
    """Send one message."""
    pickle.dump(message, stream)
    stream.flush()


def read(stream: IO[bytes]) -> object:
    """Wait for the next message. Raises EOFError when the other side is gone."""
    return pickle.load(stream)  # noqa: S301 - from our own process, through a pipe
