"""When jobs are sent: at times of their own (open loop), or each after an answer (closed loop).

In an open loop a slow system meets the same load as a fast one, as with clients that do not know of each
other. In a closed loop the senders wait with the system, and so they hide its pauses. All times are seconds.
Source: Schroeder, Wierman, Harchol-Balter, "Open Versus Closed: A Cautionary Tale", NSDI 2006.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

LATE_S = 0.05
BURST_SPACING_S = 0.002


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """One intended time for each job, in seconds from the start, in order.

    late_after_s: a job that leaves so much after its time counts as late. Jobs of one burst cannot all leave
    in the same instant, so a burst is given 2 ms for each of its jobs.
    max_in_flight: at most so many requests are open at once, as if by a generator with few connections; jobs
    that are due meanwhile leave late. None: as many as the generator can have.
    """

    offsets_s: tuple[float, ...]
    late_after_s: float = LATE_S
    max_in_flight: int | None = None


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """`concurrency` senders; each sends its next job when the one before is answered.

    A job's intended time is the moment at which its sender was free.
    """

    concurrency: int
    late_after_s: float = LATE_S


Arrivals = OpenLoop | ClosedLoop


def at_once(jobs: int) -> OpenLoop:
    """Send everything at the start."""
    return bursts(jobs, 1, 0.0)


def bursts(size: int, count: int, every_s: float) -> OpenLoop:
    """Send `size` jobs at once, `count` times, the next burst `every_s` seconds after the one before."""
    offsets = tuple(burst * every_s for burst in range(count) for _ in range(size))
    return OpenLoop(offsets, max(LATE_S, size * BURST_SPACING_S))


def constant(rate: float, jobs: int) -> OpenLoop:
    """Send `rate` jobs a second, evenly."""
    return OpenLoop(tuple(number / rate for number in range(jobs)))


def poisson(rate: float, duration_s: float, seed: int = 1) -> OpenLoop:
    """Send `rate` jobs a second on average, independent of each other: the gaps are exponential.

    The number of jobs is random too, about `rate * duration_s`; the same seed gives the same times.
    """
    chance = random.Random(seed)
    offsets = []
    now = chance.expovariate(rate)
    while now < duration_s:
        offsets.append(now)
        now += chance.expovariate(rate)
    return OpenLoop(tuple(offsets))


def ramp(from_rate: float, to_rate: float, duration_s: float) -> OpenLoop:
    """Send at a rate that moves evenly from `from_rate` to `to_rate` jobs a second.

    Job k leaves when a*t + (b - a)*t^2 / (2*T), the jobs due until t, reaches k.
    """
    slope = (to_rate - from_rate) / duration_s
    jobs = math.floor((from_rate + to_rate) / 2 * duration_s)
    return OpenLoop(tuple(_reached(number, from_rate, slope) for number in range(jobs)))


def _reached(count: int, rate: float, slope: float) -> float:
    # The stable form of the quadratic formula: it holds for a slope of zero, too.
    root = math.sqrt(max(0.0, rate * rate + 2 * slope * count))
    return 2 * count / (rate + root) if count else 0.0


def described(arrivals: Arrivals) -> str:
    """Return the arrivals in a few words, as run.json has them."""
    if isinstance(arrivals, ClosedLoop):
        return f"closed loop, {arrivals.concurrency} senders"
    if not arrivals.offsets_s:
        return "open loop, no jobs"
    if len(set(arrivals.offsets_s)) == 1:
        return "all at once"
    return f"open loop, {len(arrivals.offsets_s)} jobs in {arrivals.offsets_s[-1]:.1f} s"
