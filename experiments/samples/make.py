"""Make the sample runs anew, on a stack of their own: python -m experiments.samples.make [NAME ...].

The machine should have nothing else to do. What is in the folder under the same name is replaced.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from labkit.access import access
from labkit.load.arrivals import Arrivals, ClosedLoop, at_once, constant, poisson
from labkit.load.workloads import Planned, Workload, grid, mix, text
from labkit.measure import Action, measure
from labkit.project import Project
from labkit.runtime.base import Runtime
from labkit.runtime.local.runtime import LocalRuntime
from labkit.settings import base_environment
from labkit.stack import Options

SAMPLES = Path(__file__).parent
FILES = ("run.json", "jobs.csv", "samples.csv", "events.jsonl", "ledger.json", "summary.json")
BARE = ("run.json", "jobs.csv")
"""What is kept of the runs for the scaling curve: there are many, and only their jobs are looked at."""

SEED = 1
REPEATS = 3


def make_mix(lab: Lab) -> None:
    """Make the run of the first chapter: 200 image jobs at once, two workers."""
    lab.run("mix", 2, mix(200, SEED), at_once(200))


def make_waiting(lab: Lab) -> None:
    """Make three runs for each number of workers, in turns, with jobs that wait for something."""
    for repeat in range(1, REPEATS + 1):
        for workers in (1, 2, 3, 5):
            lab.run(f"scaling/text-{workers}-{repeat}", workers, text(30, 1.0), at_once(30), keep=BARE)


def make_computing(lab: Lab) -> None:
    """Make three runs for each number of workers, in turns, with jobs that compute."""
    blur = grid(30, "filter,blur,10;filter,blur,10;convert,png", SEED)
    for repeat in range(1, REPEATS + 1):
        for workers in (1, 2, 3, 4):
            lab.run(f"scaling/images-{workers}-{repeat}", workers, blur, at_once(30), keep=BARE)


def make_clocks(lab: Lab) -> None:
    """Make the runs with a frozen API: 400 jobs by a closed loop, and by a timetable over ten connections."""
    lab.run("closed-loop", 2, text(400, 0.0), ClosedLoop(10), freeze("api", 0.3, 3))
    open_loop = replace(constant(40, 400), max_in_flight=10)
    lab.run("open-loop", 2, text(400, 0.0), open_loop, freeze("api", 3, 3))


def make_failure(lab: Lab) -> None:
    """Make the run of the fourth chapter: one of two workers is killed, and stays away for ten seconds."""
    kill = [Action(10.3, "kill", {"target": "worker-1", "down_for_s": 10})]
    lab.run("failure", 2, text(120, 0.5), constant(3, 120), kill)


def make_queueing(lab: Lab) -> None:
    """Make the run of the fifth chapter: independent arrivals, exponential service times, three workers."""
    arrivals = poisson(10, 50, SEED)
    chance = random.Random(SEED + 1)  # not that of the arrivals: else long jobs would follow long gaps
    jobs = (
        Planned(sequence=number, processing_time_s=round(chance.expovariate(1 / 0.2), 4))
        for number in range(len(arrivals.offsets_s))
    )
    lab.run("queueing", 3, Workload("text, exponential", tuple(jobs)), arrivals)


MAKERS: Mapping[str, Callable[[Lab], None]] = {
    "mix": make_mix,
    "waiting": make_waiting,
    "computing": make_computing,
    "clocks": make_clocks,
    "failure": make_failure,
    "queueing": make_queueing,
}


class Lab:
    """A stack that is there for the samples only."""

    def __init__(self, runtime: Runtime, scratch: Path) -> None:
        self._runtime = runtime
        self._scratch = scratch

    def run(
        self,
        name: str,
        workers: int,
        workload: Workload,
        arrivals: Arrivals,
        timeline: Sequence[Action] = (),
        keep: Sequence[str] = FILES,
    ) -> None:
        """Measure, and put the run's directory into the folder of samples."""
        self._runtime.up(Options(counts={"worker": workers}))
        ways = access(self._runtime.environment())
        measured = measure(
            self._runtime, ways, workload, arrivals, name=name, timeline=timeline, runs=self._scratch
        )
        target = SAMPLES / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for file in keep:
            if (measured.run / file).exists():
                shutil.copyfile(measured.run / file, target / file)
        print(name, measured.ledger.verdict, f"{measured.summary.duration_s:.1f} s")


def freeze(target: str, at_s: float, for_s: float) -> list[Action]:
    """Return the time line of a freeze."""
    return [Action(at_s, "freeze", {"target": target, "for_s": for_s})]


def main() -> None:
    """Make the samples that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MAKERS)}; all without")
    parser.add_argument("--port-offset", type=int, default=0, help="added to every port")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project = Project("samples", root=Path(scratch), port_offset=given.port_offset)
        runtime = LocalRuntime(project, environ=base_environment())
        try:
            for name in given.names or MAKERS:
                MAKERS[name](Lab(runtime, Path(scratch) / "runs"))
        finally:
            runtime.down(delete_data=True)


if __name__ == "__main__":
    main()
