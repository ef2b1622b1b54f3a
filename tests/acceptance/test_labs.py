"""Labs on a whole stack: unsolved, solved, begun anew, and spoiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.experiments.calibrate import Calibration
from labkit.labs import devcheck
from labkit.labs.content import LABS
from labkit.labs.desk import Desk, Places
from tests.acceptance.stack import Stack
from tests.support.door import door


def desk_on(stack: Stack, folder: Path) -> Desk:
    """Give a student's desk whose runs and notes are in a folder of the test."""
    places = Places(LABS, folder / "runs", folder / "own")
    words = door(stack.runtime, places.runs)
    return Desk(stack.runtime, lambda: stack.access, places, lambda: Calibration(allowed=1), words)


@pytest.mark.timeout(300)  # a lab is worked through four times
@pytest.mark.parametrize("name", ["00", "08"])
def test_a_lab_is_honest(stack: Stack, tmp_path: Path, name: str) -> None:
    """It passes when it is solved, and never else; `labctl dev check --all` looks at all of them."""
    desk = desk_on(stack, tmp_path)
    found = list(devcheck.on_the_stack(desk, desk.lab(name)))
    assert [entry for entry in found if entry.problem] == []
    assert len(found) > 5
