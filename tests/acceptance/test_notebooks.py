"""The notebooks on a run that was made a moment ago."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.load.arrivals import constant
from labkit.load.workloads import text
from labkit.measure import Action, Measured, measure
from tests.acceptance.stack import Stack
from tests.support.notebooks import NAMES, complaints, execute, pictures

JOBS, RATE = 40, 8.0


@pytest.fixture(scope="module")
def fresh(whole_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Make a run of five seconds in which a worker is killed, and comes back."""
    kill = Action(1.5, "kill", {"target": "worker-1", "down_for_s": 1})
    return measure(
        whole_stack.runtime,
        whole_stack.access,
        text(JOBS, 0.1),
        constant(RATE, JOBS),
        name="fresh",
        timeline=[kill],
        runs=tmp_path_factory.mktemp("runs"),
    )


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_run_on_a_fresh_run(fresh: Measured, name: str, tmp_path: Path) -> None:
    """Each chapter reads what the kit writes today, without a warning."""
    assert fresh.ledger.lost == 0
    done = execute(name, fresh.run, tmp_path)
    assert complaints(done) == []
    assert pictures(done) >= 2
