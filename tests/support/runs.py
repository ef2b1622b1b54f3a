"""Run directories for tests, made by the kit's own writer from records made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit.control.marks import Mark
from labkit.load.records import Record
from labkit.runs import Run, RunFiles
from labkit.runs.files import ABOUT
from labkit.runs.write import State
from labkit.sampling.recorder import Recorder
from labkit.sampling.samples import InstanceSample, QueueSample, Sample
from tests.support.records import completed, record

SETTINGS = {"workload": "mix", "jobs": 4, "workers": {"worker": 2}}


def records(latencies_s: Sequence[float] = (0.5, 1.0, 1.5), failed: int = 1) -> list[Record]:
    """Return completed jobs with these latencies, all intended at second 100, and failed ones."""
    made = []
    for number, latency in enumerate(latencies_s):
        end = 100 + latency
        clock = {"accepted": 100.1, "published": 100.15, "started": end - 0.3, "fetched": end - 0.25}
        clock |= {"processed": end - 0.1, "stored": end - 0.05, "finished": end - 0.04, "notified": end}
        worker = f"worker-{number % 2 + 1}"
        made.append(completed(number, ended_at=end, clock=clock, worker=worker))
    refused = {"outcome": "failed", "reason": "permanent", "ended_at": 101.0, "error": "not an image"}
    numbers = range(len(made), len(made) + failed)
    return [*made, *(record(sequence=number, **refused) for number in numbers)]


def finished(
    root: Path,
    name: str = "demo",
    jobs: Sequence[Record] | None = None,
    settings: Mapping[str, Any] = SETTINGS,
    state: State = "finished",
) -> RunFiles:
    """Write a run and return its reader."""
    run = Run.begin(name, settings, root)
    run.finish(records() if jobs is None else jobs, state=state)
    return RunFiles(run.path)


def abandoned(run: Run) -> RunFiles:
    """Let the program that writes `run` be one that is gone."""
    about = json.loads((run.path / ABOUT).read_text())
    run.write(ABOUT, {**about, "writer": {**about["writer"], "started": 1.0}})
    return RunFiles(run.path)


def watched(root: Path, seconds: int = 3) -> RunFiles:
    """Write a run with samples and marks."""
    run = Run.begin("watched", SETTINGS, root)
    for second in range(seconds):
        with Recorder(Still(sample(100.0 + second, 10 - second)), run):
            pass
    run.mark(Mark(101.0, "scale", "worker: 1 → 3", "worker"))
    run.mark(Mark(101.5, "kill", "worker-1 killed", "worker-1"))
    run.finish(records())
    return RunFiles(run.path)


class Still:
    """A sampler that always sees the same."""

    def __init__(self, seen: Sample) -> None:
        self._seen = seen

    def take(self) -> Sample:
        """Return what is always seen."""
        return self._seen


def sample(at: float, ready: int) -> Sample:
    """Return a sample of a stack with one queue and one worker."""
    return Sample(
        at,
        (QueueSample("image.jobs", ready, unacked=2, consumers=2, in_per_s=1.25, out_per_s=3.0),),
        (
            InstanceSample(
                "worker-1", "worker", "running", cpu_percent=50.0, memory_bytes=64_000_000, done=3, failed=0
            ),
        ),
    )
