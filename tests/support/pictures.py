"""Samples, frames and pictures for tests of the monitor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labkit.control.marks import Mark
from labkit.monitor.frames import Frame
from labkit.monitor.picture import History, Picture
from labkit.sampling.samples import InstanceSample, QueueSample, Sample, StageSample

AT = 1_800_000_000.0
STAGES = ("accept", "queue wait", "fetch", "process", "store", "total")


def queue(name: str = "image.jobs", ready: int = 0, **changes: Any) -> QueueSample:  # noqa: ANN401
    """Make a queue with two consumers and nothing in it."""
    fields: dict[str, Any] = {"unacked": 0, "consumers": 2, "in_per_s": 0.0, "out_per_s": 0.0}
    return QueueSample(name, ready, **{**fields, **changes})


def worker(name: str = "worker-1", **changes: Any) -> InstanceSample:  # noqa: ANN401
    """Make a worker that runs and is heard."""
    fields: dict[str, Any] = {
        "service": name.rpartition("-")[0],
        "state": "running",
        "cpu_percent": 12.0,
        "memory_bytes": 60_000_000,
        "done": 0,
        "failed": 0,
        "retried": 0,
    }
    return InstanceSample(name, **{**fields, **changes})


def sample(at_s: float = 0.0, **changes: Any) -> Sample:  # noqa: ANN401
    """Make the sample of a healthy stack, `at_s` seconds after the first."""
    fields: dict[str, Any] = {
        "queues": (queue(), queue("text.jobs"), queue("dead-letter", consumers=0)),
        "instances": (
            *(worker(f"{name}-1", done=None) for name in ("rabbitmq", "tracker", "api")),
            worker("worker-1"),
            worker("worker-2"),
        ),
        "stages": tuple(StageSample(name, 300, 0.1, 2.5) for name in STAGES),
    }
    return Sample(AT + at_s, **{**fields, **changes})


def picture(samples: Sequence[Sample], marks: Sequence[Mark] = ()) -> Picture:
    """Return the picture after the last of the samples."""
    history = History()
    for number, entry in enumerate(samples):
        found = history.add(Frame(entry, tuple(marks) if not number else ()))
    return found
