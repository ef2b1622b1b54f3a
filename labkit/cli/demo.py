"""demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.context import Lab
from labkit.cli.lifecycle import layout_of, start
from labkit.cli.live import page
from labkit.cli.options import CLASS, AsJson, RuntimeKind, Yes, examples
from labkit.demo import Demo, run_demo
from labkit.labs.progress import load, path
from labkit.load.session import Progress
from labkit.settings import program_settings
from labkit.stack import WORKER, Options
from labkit.views.demo import NEXT, demo_page, demo_progress
from labkit.words import command

app = typer.Typer()

WORKERS = 2
SPOILED = "02-"
"""The lab that asks for the throughput."""


@app.command(rich_help_panel=CLASS, epilog=examples("demo", "demo --jobs 200", "demo --json"))
def demo(
    ctx: typer.Context,
    jobs: Annotated[int, typer.Option(min=1, max=2000, help="How many jobs.")] = 60,
    workers: Annotated[
        int | None, typer.Option(min=1, help=f"How many workers; {WORKERS} on a new stack.")
    ] = None,
    runtime: RuntimeKind = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send 60 image jobs through the stack, account for each."""
    lab = Lab.of(ctx).choose(runtime=runtime)
    if as_json:
        lab.out = lab.err  # standard output belongs to the JSON
    new = not lab.runtime.instances()
    wanted = workers or (WORKERS if new else None)
    counts = {} if wanted is None else {WORKER: wanted}
    start(lab, Options(counts=counts, settings=program_settings()), assume_yes=yes)
    found = _run(lab, jobs)
    steps = [(lab.here(command(what)), why) for what, why in NEXT[layout_of(lab)]]
    data = found.as_json()
    if hidden := withheld(lab):
        data["throughput_jobs_per_s"] = None
    lab.show(demo_page(found, _near(found.run), steps, hide_throughput=hidden), data, as_json=as_json)
    if found.ledger.verdict is not True:
        raise typer.Exit(1 if found.ledger.verdict is False else 2)


def withheld(lab: Lab) -> bool:
    """Tell whether this is a class that finds out the throughput by itself, and has not yet."""
    pinned = lab.class_file
    if pinned is None or not pinned.hide_spoilers:
        return False
    done = load(path(lab.runtime.project)).labs
    return not any(name.startswith(SPOILED) and entry.passed_at for name, entry in done.items())


def _run(lab: Lab, jobs: int) -> Demo:
    with page(lab) as show:

        def watch(progress: Progress) -> None:
            show(demo_progress(progress))

        return run_demo(lab.running(), lab.access(), jobs=jobs, watch=watch, runs=lab.runs)


def _near(path: Path) -> Path:
    """Return the path as it is typed in the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
