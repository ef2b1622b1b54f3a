"""results list, show, prune; ledger, report, compare."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from labkit.analysis import compare as comparing
from labkit.cli.context import Lab
from labkit.cli.options import MEASURE, AsJson, Yes, examples
from labkit.errors import BadValue, LabError, NoRun
from labkit.runs.find import directories
from labkit.runs.read import RunFiles, all_runs, open_run
from labkit.views.compare import comparison_data, comparison_page
from labkit.views.results import brief_of, ledger_page, run_page, runs_table
from labkit.views.style import COMMAND, plural
from labkit.words import command

app = typer.Typer()
results = typer.Typer(no_args_is_help=True, help="What was measured: the run directories.")
app.add_typer(results, name="results", rich_help_panel=MEASURE)


def complete_runs(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of run directories."""
    return [path.name for path in directories(Lab.of(context).runs) if path.name.startswith(incomplete)]


OptionalRun = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]",
        help="Name, begin of a name, number in the list, or path; without it the latest.",
        autocompletion=complete_runs,
    ),
]


@results.command("list", epilog=examples("results list", "results list --name demo", "results list -n 100"))
def listed(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Option(help="Only runs of this name.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the runs, newest first."""
    lab = Lab.of(ctx)
    found = [entry for entry in enumerate(all_runs(lab.runs), 1) if name in (None, entry[1].name)]
    if not found:
        raise NoRun(
            "There is no run yet." if name is None else f"There is no run called {name!r}.",
            "Make one: labctl demo",
        )
    data = [{"number": number, **brief_of(run)} for number, run in found[:limit]]
    lab.show(runs_table(found[:limit]), data, as_json=as_json)
    if len(found) > limit and not as_json:
        lab.say(f"{len(found) - limit} more: {command(f'results list -n {len(found)}')}", style="dim")


@results.command(epilog=examples("results show", "results show 2", "results show demo"))
def show(ctx: typer.Context, run: OptionalRun = None, as_json: AsJson = False) -> None:
    """Show one run: its ledger, its figures, what was done meanwhile."""
    lab = Lab.of(ctx)
    found = open_run(run, lab.runs)
    number = "" if run is None else f" {run}"
    steps = [(lab.here(command(f"report{number}")), "the same with pictures, as a page")]
    lab.show(run_page(found, steps), _data(found), as_json=as_json)


@results.command(epilog=examples("results prune --keep 20", "results prune --keep 5 --yes"))
def prune(
    ctx: typer.Context,
    keep: Annotated[int, typer.Option(min=0, help="How many of the newest stay.")],
    yes: Yes = False,
) -> None:
    """Delete old runs; those that are under way stay."""
    lab = Lab.of(ctx)
    old = [run for run in all_runs(lab.runs)[keep:] if run.state != "running"]
    if not old:
        lab.say("There is nothing to delete.")
        return
    if not yes and not lab.ask(f"Delete {plural(len(old), 'run')} for good, {old[0].directory} and older?"):
        lab.say("Nothing was changed.")
        return
    for run in old:
        shutil.rmtree(run.path)
    lab.say(f"Deleted {plural(len(old), 'run')}.")


@app.command(rich_help_panel=MEASURE, epilog=examples("ledger", "ledger 2 --json"))
def ledger(ctx: typer.Context, run: OptionalRun = None, as_json: AsJson = False) -> None:
    """Account for every job of a run.

    Exit status: 0 every promise was kept, 1 one was broken, 2 unknown.
    """
    lab = Lab.of(ctx)
    found = open_run(run, lab.runs)
    kept = found.ledger.get("verdict") if found.state == "finished" else None
    data = {"run": found.directory, "state": found.state, **found.ledger, "verdict": kept}
    lab.show(ledger_page(found), data, as_json=as_json)
    if kept is not True:
        raise typer.Exit(1 if kept is False else 2)


@app.command(rich_help_panel=MEASURE, epilog=examples("report", "report 2 --open", "report -o lecture.html"))
def report(
    ctx: typer.Context,
    run: OptionalRun = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there, not into the run.")
    ] = None,
    show_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a page of a run: pictures and tables in one file."""
    from labkit.report.page import write_report  # noqa: PLC0415 - matplotlib is slow

    lab = Lab.of(ctx)
    found = open_run(run, lab.runs)
    try:
        place = write_report(found, output).resolve()
    except OSError as error:
        raise LabError(f"The page cannot be written: {error}.", "Write it elsewhere: -o FILE") from error
    lab.show(Text.assemble("Written to ", (near(place), COMMAND)), {"report": str(place)}, as_json=as_json)
    if show_it:
        typer.launch(place.as_uri())


@app.command(
    rich_help_panel=MEASURE,
    epilog=examples("compare", "compare 4 1", "compare 6,4,2 5,3,1", "compare --name before --name after"),
)
def compare(
    ctx: typer.Context,
    sides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[A B]",
            help="A run, with all its repeats, or several: 5,3,1. Without: the last two set-ups.",
            autocompletion=complete_runs,
        ),
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="A name that was run; twice: A and B.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two set-ups, each measured in at least three runs.

    Repeats are found by themselves: finished runs of the same name and settings. Exit status: 0 they
    differ, 1 they are alike within 10%, 2 unknown.
    """
    lab = Lab.of(ctx)
    found = comparing.compare(*_sides(lab, sides or [], name or []))
    lab.show(comparison_page(found), comparison_data(found), as_json=as_json)
    if found.differs is not True:
        raise typer.Exit(1 if found.differs is False else 2)


def _sides(lab: Lab, sides: list[str], names: list[str]) -> tuple[list[RunFiles], list[RunFiles]]:
    """Return the runs of A and B as they were typed. Raises NoRun, BadValue."""
    runs = all_runs(lab.runs)
    if len(sides or names) not in (0, 2) or (sides and names):
        raise BadValue(
            "A comparison has two sides.",
            f"Name two runs, or none for the last two set-ups: {command('compare A B')}",
        )
    if not sides and not names:
        return comparing.pair(runs)
    one, two = (_side(text, lab, runs) for text in sides or names)
    if not sides or any("," in text for text in sides):
        return one, two
    # Two repeats of one set-up: they are meant themselves.
    same = comparing.setup_of(one[0]) == comparing.setup_of(two[0])
    return (one[:1], two[:1]) if same else (one, two)


def _side(text: str, lab: Lab, runs: list[RunFiles]) -> list[RunFiles]:
    found = [open_run(part, lab.runs) for part in text.split(",") if part]
    if not found:
        raise BadValue(f"{text!r} names no run.", f"See what there is: {command('results list')}")
    if len(found) > 1:
        return list({run.path: run for run in found}.values())
    others = [run for run in comparing.repeats(found[0], runs) if run.path != found[0].path]
    return [*found, *others]


def near(path: Path) -> str:
    """Return the path as it is typed in the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _data(run: RunFiles) -> dict[str, object]:
    return {
        "path": str(run.path),
        **run.about,
        "state": run.state,
        "ledger": run.ledger,
        "summary": run.summary,
        "marks": run.marks,
    }
