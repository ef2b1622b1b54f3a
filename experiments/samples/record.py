"""Record labs for those who have no stack: python -m experiments.samples.record [NUMBER ...].

Each lab is walked through as `lab solve` does it, on a stack of its own. When all its checks pass, and what
was measured is what is true, the runs that they looked at replace those in the lab's folder. The machine
should have nothing else to do.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from experiments.samples.make import FILES
from labkit.access import access
from labkit.experiments import calibrate
from labkit.labs import content
from labkit.labs.content import LABS, Lab
from labkit.labs.desk import RECORDED, Desk, Places
from labkit.labs.devcheck import compared
from labkit.project import RUNS, Project
from labkit.runtime.local.runtime import LocalRuntime
from labkit.settings import base_environment


def record(desk: Desk, lab: Lab) -> bool:
    """Walk through a lab; keep its runs if all checks pass."""
    desk.restart(lab)
    desk.prepare(lab)
    for wanted, value in desk.truths(lab).items():
        desk.predict(lab, wanted, str(value))
    desk.solve(lab, print, quiet=True)
    failed = [f"{entry.line}: {entry.said}" for entry in desk.check(lab) if not entry.outcome]
    failed += filter(None, [] if failed else [compared(desk, lab)])
    if not failed:
        keep([RUNS / used.name for used in desk.state(lab).runs], lab.recorded)
    print(lab.name, "; ".join(failed) or "recorded")
    return not failed


def keep(runs: Sequence[Path], target: Path) -> None:
    """Put the runs into the folder; several get a folder each, numbered in their order."""
    shutil.rmtree(target, ignore_errors=True)
    for number, run in enumerate(sorted(runs), 1):
        place = target / str(number) if len(runs) > 1 else target
        place.mkdir(parents=True)
        for file in FILES:
            if (run / file).exists():
                shutil.copyfile(run / file, place / file)


def main() -> None:
    """Record the labs that are named, or all that have a recorded run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="labs; without: all with a recorded run")
    parser.add_argument("--port-offset", type=int, default=0, help="added to every port")
    given = parser.parse_args()
    labs = [lab for lab in content.everything() if lab.file.replay]
    chosen = [lab for lab in labs if lab.number in given.numbers] if given.numbers else labs
    runtime = LocalRuntime(Project("record", port_offset=given.port_offset), environ=base_environment())
    machine = calibrate.calibrate([])
    with tempfile.TemporaryDirectory() as own:
        places = Places(LABS, RUNS, Path(own))
        desk = Desk(runtime, lambda: access(runtime.environment()), places, lambda: machine)
        try:
            runtime.up()
            for lab in chosen:
                if record(desk, lab) and desk.needs_machine(lab):
                    calibrate.save(lab.recorded / RECORDED, machine)
        finally:
            runtime.down(delete_data=True)


if __name__ == "__main__":
    main()
