"""experiment list, run, show; calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labkit.cli.context import Lab
from labkit.cli.lifecycle import start
from labkit.cli.live import page
from labkit.cli.options import KIT, MEASURE, AsJson, Yes, examples
from labkit.experiments import declaration
from labkit.experiments.result import newest
from labkit.runs import RUNS
from labkit.stack import KEEP

if TYPE_CHECKING:
    from labkit.experiments.calibrate import Calibration
    from labkit.experiments.runner import Now

app = typer.Typer()
experiment = typer.Typer(no_args_is_help=True, help="Ask a question, and get expected beside measured.")
app.add_typer(experiment, name="experiment", rich_help_panel=MEASURE)


def complete_experiments(incomplete: str) -> list[str]:
    """Return the names of experiments."""
    return [name for name in declaration.names() if name.startswith(incomplete)]


Name = Annotated[
    str, typer.Argument(metavar="NAME", help="An experiment.", autocompletion=complete_experiments)
]


@experiment.command("list", epilog=examples("experiment list"))
def listing(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List what can be asked, and how long it takes."""
    from labkit.views.experiment import listed  # noqa: PLC0415 - slow

    found = declaration.everything()
    data = [one.model_dump(include={"name", "title", "question", "takes_s"}) for one in found]
    Lab.of(ctx).show(listed(found), data, as_json=as_json)


@experiment.command(epilog=examples("experiment show worker-scaling"))
def show(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show what an experiment does and expects, and its newest result."""
    from rich.console import Group  # noqa: PLC0415 - slow

    from labkit.views import experiment as view  # noqa: PLC0415 - slow

    found = declaration.find(name)
    last = newest(name, RUNS)
    data = {"experiment": found.model_dump(), "result": last[1].as_json() if last else None}
    pages = [view.declared(found)]
    if last:
        pages += ["", view.outcome(last[1], _near(last[0]))]
    Lab.of(ctx).show(Group(*pages), data, as_json=as_json)


@experiment.command(
    epilog=examples(
        "experiment run basic", "experiment run worker-scaling --quick", "experiment run bursts --json"
    )
)
def run(
    ctx: typer.Context,
    name: Name,
    repeats: Annotated[int | None, typer.Option(min=1, max=20, help="Repeats of each point.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One repeat, and shorter image loads.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Run an experiment: exit status 0 as expected, 1 not, 2 unknown.

    The stack is started if it is not up; its workers, layout and settings are as before afterwards.
    """
    from labkit.experiments.runner import Runner  # noqa: PLC0415 - slow
    from labkit.views import experiment as view  # noqa: PLC0415 - slow

    lab = Lab.of(ctx)
    if as_json:
        lab.out = lab.err  # standard output belongs to the JSON
    asked = declaration.find(name)
    lab.out.print(view.asked(asked))
    start(lab, KEEP, assume_yes=yes)
    machine = _machine(lab, asked) if asked.needs_calibration else None
    with page(lab) as update:

        def told(now: Now) -> None:
            update(view.progress(now))
            if now.progress is None and not lab.out.is_interactive:
                lab.out.print(view.started(now), soft_wrap=True)

        runner = Runner(lab.running(), lab.access(), machine=machine, told=told)
        folder, found = runner.run(asked, repeats=repeats, quick=quick)
    lab.show(view.outcome(found, _near(folder)), found.as_json(), as_json=as_json)
    if not as_json:
        lab.out.print(*view.afterwards(asked), sep="\n")
    if found.verdict is not True:
        raise typer.Exit(1 if found.verdict is False else 2)


@app.command(rich_help_panel=KIT, epilog=examples("calibrate", "calibrate --quick"))
def calibrate(
    ctx: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="Measure each figure for a moment only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure this machine: usable cores and service times.

    Experiments with images are sized by it, and do it by themselves when it is older than an hour. On Docker
    it is measured in a container.
    """
    from labkit.experiments import calibrate as measuring  # noqa: PLC0415 - slow
    from labkit.views.experiment import calibrated  # noqa: PLC0415 - slow

    lab = Lab.of(ctx)
    effort = measuring.QUICK if quick else measuring.FULL
    pairs = measuring.needed(declaration.everything())
    with lab.err.status("Measuring this machine …") as status:
        found = measuring.calibrate(
            pairs, effort, lambda text: status.update(f"Measuring {text} …"), lab.runtime.kind
        )
    measuring.save(measuring.place(lab.runtime.project.root, lab.runtime.kind), found)
    lab.show(calibrated(found), found, as_json=as_json)


def _machine(lab: Lab, asked: declaration.Experiment) -> Calibration:
    """Return the calibration, measured quickly if there is no fresh one."""
    from labkit.experiments import calibrate as measuring  # noqa: PLC0415 - slow

    with lab.err.status("Measuring this machine …") as status:
        return measuring.ensure(
            measuring.place(lab.runtime.project.root, lab.runtime.kind),
            measuring.needed([asked]),
            lambda text: status.update(f"Measuring {text} …"),
            lab.runtime.kind,
        )


def _near(path: Path) -> Path:
    """Return the path as it is typed in the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
