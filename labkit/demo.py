"""The demo: the `mix` workload through a running stack, verified and accounted for in a run directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labkit.access import Access
from labkit.analysis.ledger import Ledger
from labkit.analysis.statistics import Spread
from labkit.analysis.summary import Summary
from labkit.load.arrivals import at_once
from labkit.load.session import Progress
from labkit.load.workloads import mix
from labkit.measure import measure
from labkit.runs import RUNS
from labkit.runtime.base import Runtime

SEED = 1


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo found."""

    ledger: Ledger
    summary: Summary
    run: Path

    def as_json(self) -> dict[str, object]:
        """Return the object that `labctl demo --json` prints; durations in milliseconds."""
        return {
            "jobs": self.ledger.attempted,
            "completed": self.ledger.completed,
            "failed": self.ledger.failed,
            "lost": self.ledger.lost,
            "duplicated": self.ledger.duplicated,
            "verified": self.ledger.verified,
            "throughput_jobs_per_s": round(self.summary.throughput_per_s, 2),
            "latency_ms": _percentiles(self.summary.latency),
            "stages_ms": {
                "accept": _percentiles(self.summary.accept),
                "queue_wait": _percentiles(self.summary.queue_wait),
                "service": _percentiles(self.summary.service),
            },
            "run": str(self.run),
        }


def run_demo(
    runtime: Runtime,
    access: Access,
    *,
    jobs: int,
    seed: int = SEED,
    watch: Callable[[Progress], None] = lambda _: None,
    runs: Path = RUNS,
) -> Demo:
    """Send `jobs` jobs at once, wait for their end, verify the results, and write a run directory."""
    found = measure(
        runtime,
        access,
        mix(jobs, seed),
        at_once(jobs),
        name="demo",
        settings={"seed": seed},
        watch=watch,
        runs=runs,
    )
    return Demo(found.ledger, found.summary, found.run)


def _percentiles(spread: Spread) -> dict[str, float | None]:
    return {"p50": _rounded(spread.p50_ms), "p95": _rounded(spread.p95_ms)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
