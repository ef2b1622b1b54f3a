"""A student's desk with one small lab, on a fake stack."""

from __future__ import annotations

from pathlib import Path

from labkit.experiments.calibrate import Calibration
from labkit.labs.desk import Desk, Places
from tests.support.lab import World

LAB = """\
format = 1
title = "A small lab"
question = "How much is it?"
about = "It is about numbers."
minutes = 5
concepts = ["number"]
hints = ["Count.", "Count again."]

[numbers]
jobs = 4

[[predict]]
id = "sum"
question = "How many?"
answer = "jobs / 2"
tolerance = 0.5
measured = "sum"
why = "Half of them."

[[predict]]
id = "who"
question = "Who?"
kind = "choice"
choices = ["the API", "a worker"]
answer = "a worker"
why = "It does the work."

[[step]]
title = "Look"
command = "status"

[[step]]
title = "Look again"
command = "ps"

[transfer]
question = "You have {sum:.0f}. Twice as many are?"
answer = "sum * 2"
tolerance = "10%"
hint = "Two times."
why = "That is what twice means."

[[walk]]
command = "status"

[spoiled]
why = "To list is not to look."
[[spoiled.walk]]
command = "ps"
"""

CHECK = '''\
from labkit.labs.checks import Failed, Passed, Unknown, check


@check
def the_answer(evidence):
    """The answer is there."""
    answer = evidence.runs_root / "answer.txt"
    if not answer.exists():
        return Unknown("There is no answer.", "Write one.")
    if answer.read_text() != "2":
        return Failed("It is wrong.", "Count again.")
    return Passed("2")


def figures(evidence):
    return {"sum": 2.0}
'''


def small_lab(root: Path, name: str = "00-small", text: str = LAB, check: str = CHECK) -> Path:
    """Write a lab and return its folder."""
    folder = root / "labs" / name
    folder.mkdir(parents=True)
    (folder / "lab.toml").write_text(text)
    (folder / "check.py").write_text(check)
    return folder


def desk(world: World, root: Path) -> Desk:
    """Return a desk with the labs below `root`."""
    runs = root / "runs"
    runs.mkdir(exist_ok=True)
    lab = world.lab()
    return Desk(
        world.runtime,
        lambda: lab.open_access({}),
        Places(root / "labs", runs, root / "own"),
        lambda: Calibration(allowed=2, speedup={2: 1.9, 4: 2.0}),
    )
