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


@pytest.mark.timeout(300)  # a lab is worked through four times
@pytest.mark.parametrize("name", ["00", "08"])
def test_a_lab_is_honest(stack: Stack, tmp_path: Path, name: str) -> None:
    """It passes when it is solved, and never else; `labctl dev check --all` looks at all of them."""
    places = Places(LABS, tmp_path / "runs", tmp_path / "own")
    project = stack.runtime.project
    desk = Desk(
        stack.runtime,
        lambda: stack.access,
        places,
        lambda: Calibration(allowed=1),
        door(project, places.runs),
    )
    found = list(devcheck.on_the_stack(desk, desk.lab(name)))
    assert [entry for entry in found if entry.problem] == []
    assert len(found) > 5
