"""Formulas of queueing theory, and the same queue replayed job by job.

The system is one queue in front of `servers` equal workers, first come, first served. Jobs arrive at
`arrival_rate` (jobs a second), and a worker needs `service_s` (seconds) for one on average. The offered load
is their product: how many workers are busy on average. All of this is about the steady state; there is none
when the offered load reaches the number of servers.

Sources: A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic
telephone exchanges", 1917; L. Kleinrock, "Queueing Systems", volume 1, 1975, chapter 3; J. D. C. Little, "A
proof for the queuing formula L = λW", Operations Research 9 (3), 1961.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Steady:
    """A queue in its steady state: shares without a unit, mean times in seconds, mean numbers of jobs."""

    utilisation: float
    p_wait: float
    """Share of jobs that find all workers busy."""
    wait_s: float
    time_s: float
    """Waiting and service."""
    waiting: float
    in_system: float
    """Waiting and in service."""


def erlang_b(offered: float, servers: int) -> float:
    """Return the share of jobs that find all servers busy when none may wait.

    By the recursion B(n) = a B(n-1) / (n + a B(n-1)), B(0) = 1, which never leaves the numbers that a float
    can hold. Source: R. B. Cooper, "Introduction to Queueing Theory", 2nd edition, 1981, chapter 3.
    """
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return blocked


def erlang_c(offered: float, servers: int) -> float:
    """Return the share of jobs that have to wait in an M/M/c queue; 1 when it cannot carry the load.

    C = c B / (c - a (1 - B)), with Erlang's B. Source: Cooper, as above.
    """
    if offered >= servers:
        return 1.0
    blocked = erlang_b(offered, servers)
    return servers * blocked / (servers - offered * (1 - blocked))


def mmc(arrival_rate: float, service_s: float, servers: int) -> Steady:
    """Return the steady state with independent arrivals (Poisson) and exponential service times: M/M/c.

    The mean wait is C / (c μ - λ) with μ = 1 / service_s; the rest follows from Little's law. Raises
    ValueError when there is no steady state: utilisation 1 or more.
    """
    return _steady(arrival_rate, service_s, servers, 1.0)


def allen_cunneen(
    arrival_rate: float, service_s: float, servers: int, cv2_arrivals: float, cv2_service: float
) -> Steady:
    """Return the approximate steady state for other arrivals and service times: G/G/c.

    `cv2_…`: squared coefficients of variation, variance over squared mean, of the gaps between arrivals and
    of the service times; 1 is M/M/c, 0 is a clock's beat. The wait is that of M/M/c times their mean.
    Source: A. O. Allen, "Probability, Statistics, and Queueing Theory", 2nd edition, 1990, chapter 5.
    Raises ValueError as `mmc` does.
    """
    return _steady(arrival_rate, service_s, servers, (cv2_arrivals + cv2_service) / 2)


def wait_tail(arrival_rate: float, service_s: float, servers: int, longer_than_s: float) -> float:
    """Return the share of jobs in M/M/c that wait longer: C exp(-(c μ - λ) t).

    Source: Kleinrock, as above. Raises ValueError as `mmc` does.
    """
    _check(arrival_rate, service_s, servers)
    spare = servers / service_s - arrival_rate
    return erlang_c(arrival_rate * service_s, servers) * math.exp(-spare * longer_than_s)


def replay(arrivals_s: Iterable[float], services_s: Iterable[float], servers: int) -> list[float]:
    """Return each job's wait, seconds, if jobs with these arrivals and service times met a perfect queue.

    Perfect: a free worker takes the oldest job at once. Arrivals are in order. Source: J. Kiefer,
    J. Wolfowitz, "On the theory of queues with many servers", 1955.
    """
    free_at = [-math.inf] * servers
    waits = []
    for arrival, service in zip(arrivals_s, services_s, strict=True):
        begin = max(arrival, free_at[0])
        heapq.heapreplace(free_at, begin + service)
        waits.append(begin - arrival)
    return waits


def imagined_waits(arrival_rate: float, service_s: float, servers: int, jobs: int, seed: int) -> list[float]:
    """Return the waits, seconds, of the first `jobs` jobs of an M/M/c queue that begins empty."""
    chance = random.Random(seed)
    now, arrivals = 0.0, []
    for _ in range(jobs):
        now += chance.expovariate(arrival_rate)
        arrivals.append(now)
    return replay(arrivals, [chance.expovariate(1 / service_s) for _ in range(jobs)], servers)


def mean_level(begins_s: Sequence[float], ends_s: Sequence[float], since_s: float, until_s: float) -> float:
    """Return how many of the intervals from begin to end are open, on average over the window, seconds."""
    spans = zip(begins_s, ends_s, strict=True)
    inside = sum(max(0.0, min(end, until_s) - max(begin, since_s)) for begin, end in spans)
    return inside / (until_s - since_s)


def _steady(arrival_rate: float, service_s: float, servers: int, variability: float) -> Steady:
    _check(arrival_rate, service_s, servers)
    offered = arrival_rate * service_s
    p_wait = erlang_c(offered, servers)
    wait_s = variability * p_wait / (servers / service_s - arrival_rate)
    time_s = wait_s + service_s
    return Steady(offered / servers, p_wait, wait_s, time_s, arrival_rate * wait_s, arrival_rate * time_s)


def _check(arrival_rate: float, service_s: float, servers: int) -> None:
    if not 0 <= arrival_rate * service_s < servers:
        raise ValueError(
            f"no steady state: {servers} servers cannot carry a load of {arrival_rate * service_s:.3g}"
        )
