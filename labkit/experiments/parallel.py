"""How much faster several processes compute; a module of its own, so that they have little to import."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Collection
from concurrent.futures import ProcessPoolExecutor

from labkit.experiments.pictures import picture
from services.worker.processors import parse_operations, process

HEAVY = ("small.jpg", "filter,blur,10;convert,png")
"""Short jobs that compute, so that many fit into a moment."""


def speedups(
    counts: Collection[int], window_s: float, rounds: int, told: Callable[[str], None]
) -> dict[int, float]:
    """Return how many times as fast as one so many processes are.

    Each count works for `window_s` between two turns of one process, `rounds` times; medians are kept.
    """
    ratios: dict[int, list[float]] = {count: [] for count in counts}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(counts), mp_context=context) as pool:
        _rate(pool, max(counts), 0)  # every process has its libraries before the clock runs
        for _ in range(rounds):
            for count in counts:
                told(f"speed-up with {count} processes")
                before = _rate(pool, 1, window_s)
                together = _rate(pool, count, window_s)
                after = _rate(pool, 1, window_s)
                ratios[count].append(2 * together / (before + after))
    return {count: statistics.median(found) for count, found in ratios.items()}


def _rate(pool: ProcessPoolExecutor, processes: int, seconds: float) -> float:
    """Return the jobs a second of so many processes that work at the same time."""
    start = time.time() + 0.1
    return sum(pool.map(_work, [start] * processes, [seconds] * processes))


def _work(start: float, seconds: float) -> float:
    data, operations = picture(HEAVY[0]), parse_operations(HEAVY[1])
    time.sleep(max(0.0, start - time.time()))
    begun, done = time.perf_counter(), 0
    while done == 0 or time.perf_counter() - begun < seconds:
        process(data, operations)
        done += 1
    return done / (time.perf_counter() - begun)
