"""One measured run: load a running stack, do things to it meanwhile, and leave a run directory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.access import Access
from labkit.analysis.ledger import Ledger, balance
from labkit.analysis.summary import Summary, summarize
from labkit.control.timeline import Action, Timeline, steps
from labkit.load.arrivals import Arrivals, described
from labkit.load.records import Record
from labkit.load.session import BROKER_TIMEOUT_S, Progress, Session
from labkit.load.workloads import Workload
from labkit.runs import RUNS, Run
from labkit.runtime.base import Runtime
from labkit.sampling.recorder import Recorder
from labkit.sampling.sampler import Sampler
from labkit.stack import WORKERS, layout_in

__all__ = ["Action", "Interrupted", "Measured", "measure"]

ALL = None
"""For `verify_sample`: look at every result."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A finished run: its directory, its accounts and figures, and all its jobs."""

    run: Path
    ledger: Ledger
    summary: Summary
    records: tuple[Record, ...]


class Interrupted(KeyboardInterrupt):
    """Somebody stopped the run; what was known by then is in its directory."""

    def __init__(self, measured: Measured) -> None:
        super().__init__(str(measured.run))
        self.measured = measured


def measure(  # noqa: PLR0913 - a run has many sides; most have a default
    runtime: Runtime,
    access: Access,
    workload: Workload,
    arrivals: Arrivals,
    *,
    name: str,
    settings: Mapping[str, object] | None = None,
    watch: Callable[[Progress], None] = lambda _: None,
    timeline: Sequence[Action] = (),
    verify_sample: int | None = ALL,
    runs: Path = RUNS,
) -> Measured:
    """Send `workload` to a running stack as `arrivals` say, see it through, and write a run directory.

    `settings` are added to run.json. `watch` is told of progress a few times a second, from another thread.
    `timeline` counts from the first intended send. `verify_sample` is how many results are downloaded and
    looked at. Raises BadValue, StackDown, ApiUnreachable; BrokerUnavailable when the stack has no broker;
    Interrupted on Ctrl-C.
    """
    plan = steps(runtime, access, timeline)
    run = Run.begin(
        name,
        {**_described(runtime, workload, arrivals), **(settings or {})},
        runs,
        project=runtime.project,
        broker_version=_broker_version(access),
    )
    session = Session(
        runtime.address("api"), access.broker, watch, verify_sample=verify_sample, entry=access.entry
    )
    try:
        with (
            Timeline(plan, run.note).running() as session.begun,
            run.kept(session.records),
            Sampler(runtime, access) as sampler,
            Recorder(sampler, run, session.records),
        ):
            outcome = asyncio.run(session.run(workload, arrivals))
    except KeyboardInterrupt:
        records = session.records()
        raise Interrupted(_measured(run, records, arrivals, cut=True)) from None
    found = _measured(run, outcome.records, arrivals)
    run.finish(outcome.records, found.ledger, found.summary)
    return found


def _measured(run: Run, records: tuple[Record, ...], arrivals: Arrivals, *, cut: bool = False) -> Measured:
    summary = summarize(records, arrivals.late_after_s)
    return Measured(run.path, balance(records, cut=cut), summary, records)


def _broker_version(access: Access) -> str:
    async def ask() -> str:
        async with access.broker() as broker:
            await broker.ready(BROKER_TIMEOUT_S)
            return broker.version

    return asyncio.run(ask())


def _described(runtime: Runtime, workload: Workload, arrivals: Arrivals) -> dict[str, object]:
    environment = runtime.environment()
    return {
        "workload": workload.name,
        "jobs": len(workload.jobs),
        "arrivals": described(arrivals),
        "layout": layout_in(environment),
        "workers": _workers(runtime),
        "prefetch": int(environment.get("LAB_PREFETCH", "1")),
        "concurrency": int(environment.get("LAB_CONCURRENCY", "1")),
        "ack": environment.get("LAB_ACK", "late"),
        "retry": environment.get("LAB_RETRY", "delayed"),
        "work_s": sorted({job.processing_time_s for job in workload.jobs if job.kind == "text"}),
    }


def _workers(runtime: Runtime) -> dict[str, int]:
    return dict(Counter(found.service for found in runtime.instances() if found.service in WORKERS))
