"""From a declared load to the jobs and the times at which they are sent."""

from __future__ import annotations

from labkit.experiments.declaration import Load
from labkit.experiments.pictures import picture
from labkit.load.arrivals import Arrivals, ClosedLoop, at_once, bursts
from labkit.load.workloads import Expected, Planned, Workload, mix
from test_images import generate_sample

CUT_OFF = "cut-off.jpg"


def workload(load: Load, jobs: int) -> Workload:
    """Return the jobs, in the order in which they are sent."""
    if load.workload == "mix":
        return mix(jobs)
    if load.workload == "text":
        planned = (
            Planned(sequence=number, processing_time_s=load.work_s[number % len(load.work_s)])
            for number in range(jobs)
        )
        return Workload("text", tuple(planned))
    return _images(load, jobs)


def arrivals(load: Load, jobs: int) -> Arrivals:
    """Return when the jobs are sent."""
    if load.arrivals == "closed":
        return ClosedLoop(load.senders)
    return at_once(jobs) if load.arrivals == "at-once" else bursts(load.size, load.count, load.every_s)


def _images(load: Load, jobs: int) -> Workload:
    expected = Expected(*load.result) if load.result else None
    images: dict[str, bytes] = {load.picture: picture(load.picture)}
    if load.corrupt:
        images[CUT_OFF] = generate_sample.corrupt("truncated")
    # In the middle, so that good jobs come before and after.
    first_bad = (jobs - load.corrupt) // 2
    bad = range(first_bad, first_bad + load.corrupt)
    planned = (
        Planned(
            sequence=number,
            image=CUT_OFF if number in bad else load.picture,
            operations=load.operations[number % len(load.operations)],
            expected=None if number in bad else expected,
        )
        for number in range(jobs)
    )
    return Workload("images", tuple(planned), images)
