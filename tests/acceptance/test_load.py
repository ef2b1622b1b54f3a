"""Loads on the real stack: what a frozen API does to each loop, and a run that somebody stops."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from labkit.cli.app import app
from labkit.cli.context import Lab
from labkit.load.arrivals import Arrivals, ClosedLoop, constant
from labkit.load.records import Record
from labkit.load.workloads import text
from labkit.measure import Action, Measured, measure
from labkit.runs import open_run
from tests.acceptance.stack import Stack

FROZEN_S = 3.0
SENDERS = 4
# Half of it: whoever met the freeze in its first half waited at least so long.
FELT_S = FROZEN_S / 2


def _frozen(stack: Stack, runs: Path, arrivals: Arrivals, jobs: int) -> Measured:
    """Freeze the API one second into a load of text jobs without work."""
    return measure(
        stack.runtime,
        stack.access,
        text(jobs, 0.0),
        arrivals,
        name="frozen",
        timeline=[Action(1.0, "freeze", {"target": "api", "for_s": FROZEN_S})],
        runs=runs,
    )


def _felt(records: tuple[Record, ...]) -> int:
    """Count the jobs whose answer came so late after their intended time that the freeze shows."""
    return sum((record.answered_at or 0.0) - record.intended_at >= FELT_S for record in records)


def test_an_open_loop_shows_a_pause_and_a_closed_loop_hides_it(stack: Stack, tmp_path: Path) -> None:
    """Clients that come at their own times all feel the pause; waiting senders feel it once each."""
    opened = _frozen(stack, tmp_path, constant(20, 120), 120)
    assert opened.ledger.verdict is True
    # 20 a second came in the first half of the pause; a machine that stalls by itself adds some.
    assert _felt(opened.records) >= 20 * (FROZEN_S - FELT_S) * 0.8
    assert {mark.kind for mark in open_run(opened.run).marks} >= {"pause", "resume"}
    assert {row["name"] for row in open_run(opened.run).samples} >= {"text.jobs", "worker-1"}

    closed = _frozen(stack, tmp_path, ClosedLoop(SENDERS), 800)
    assert closed.ledger.verdict is True
    assert 1 <= _felt(closed.records) <= SENDERS
    assert closed.summary.sending.late == 0


def test_the_commands_load_the_stack(stack: Stack, tmp_path: Path) -> None:
    """Each load command sends what it says, accounts for it, and exits with the verdict."""
    commands = (
        (("bulk", "--count", "6", "--concurrency", "2", "--operations", "resize,160x120"), 6, 0),
        (("burst", "4", "--times", "2", "--every", "0.5", "--processing-time", "0.05"), 8, 0),
        (("rate", "--ramp", "2:10", "--duration", "2", "--processing-time", "0"), 12, 0),
        (("mix", "--jobs", "4", "--threshold", "lost==0"), 4, 0),
        (("messages", "5", "--threshold", "p95<60000"), 5, 2),
        (("messages", "--rps", "20", "--duration", "1", "--threshold", "completed>20"), 20, 1),
    )
    for words, jobs, code in commands:
        lab = Lab(open_runtime=lambda _: stack.runtime, runs=tmp_path)
        result = CliRunner().invoke(app, [*words, "--json"], obj=lab, prog_name="labctl")
        assert result.exit_code == code, result.output
        found = json.loads(result.stdout)
        assert (found["ledger"]["completed"], found["ledger"]["lost"]) == (jobs, 0)
        assert Path(found["run"]).parent == tmp_path
        assert open_run(found["run"]).state == "finished"


STOPPED = """
import sys
from pathlib import Path
from labkit.access import access
from labkit.load.arrivals import constant
from labkit.load.workloads import text
from labkit.measure import Interrupted, measure
from labkit.project import Project
from labkit.runtime.local.runtime import LocalRuntime

project = Project("acceptance", root=Path(sys.argv[1]), port_offset=int(sys.argv[2]))
runtime = LocalRuntime(project, environ={})
try:
    measure(runtime, access(runtime.environment()), text(1000, 0.0), constant(10, 1000), name="cut",
            runs=Path(sys.argv[3]), watch=lambda progress: print(progress.ended, flush=True))
except Interrupted:
    raise SystemExit(130)
"""


def test_ctrl_c_leaves_a_readable_run(stack: Stack, tmp_path: Path) -> None:
    """What is known when somebody stops a run is on disk, marked as interrupted."""
    project = stack.runtime.project
    command = [sys.executable, "-c", STOPPED, str(project.root), str(project.port_offset), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        ended = 0
        while ended < 5:
            ended = int(program.stdout.readline())
        program.send_signal(signal.SIGINT)
        program.stdout.read()
        assert program.wait(30) == 130
    run = open_run(None, tmp_path)
    assert run.state == "interrupted"
    assert 5 <= run.ledger["completed"] < 1000
    assert run.ledger["lost"] == 0
    assert run.ledger["verdict"] is None or run.ledger["open"] == 0
    assert len(run.jobs) == 1000
