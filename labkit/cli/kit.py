"""doctor, test, completion."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer
from typer._completion_shared import get_completion_script

from labkit import doctor as checks
from labkit import suite, words
from labkit.cli.context import Lab
from labkit.cli.options import CLASS, KIT, AsJson, Yes, examples
from labkit.doctor import view
from labkit.install.environment import ensure
from labkit.views.suite import suite_table

app = typer.Typer()

SCRIPT = "labctl"


@app.command(rich_help_panel=CLASS, epilog=examples("doctor", "doctor --json"))
def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Check this computer, and the stack when it is up.

    Each failed line says how to mend it.
    """
    lab = Lab.of(ctx)
    own = lab.settings
    offset = own.port_offset if "port_offset" in own.model_fields_set else None
    results = [found._replace(fix=lab.here(found.fix)) for found in checks.examine(own.project, offset)]
    colour = lab.out.is_terminal and not lab.out.no_color
    typer.echo(
        view.as_json(results)
        if as_json
        else view.as_text(
            results,
            colour=colour,
            again=lab.here(words.command("doctor")),
            then=lab.here(words.command("demo")),
        )
    )
    if not checks.passed(results):
        raise typer.Exit(1)


@app.command("test", rich_help_panel=KIT, epilog=examples("test --yes", "test -- tests/unit -k ledger"))
def run_checks(
    ctx: typer.Context,
    pytest_arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGS", help="After --: passed on to pytest.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Run the kit's own checks: linter, types, tests."""
    lab = Lab.of(ctx)
    ensure({"test", "notebooks"})
    lab.install_broker(yes)
    outcomes = list(suite.run(suite.parts(pytest_arguments or ()), lambda part: lab.out.rule(part.name)))
    lab.out.rule("result")
    lab.out.print(suite_table(outcomes))
    if not all(outcome.passed for outcome in outcomes):
        raise typer.Exit(1)


@app.command(rich_help_panel=KIT, epilog=examples("completion zsh"))
def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="Your shell.")] = "bash",
) -> None:
    """Print what makes the Tab key complete names.

    Use it in the present shell:   source <(./labctl completion bash)
    """
    script = get_completion_script(prog_name=SCRIPT, complete_var="_LABCTL_COMPLETE", shell=shell)
    # The shell calls the program to ask it; it is not on the PATH, so say where it is.
    path = words.quote(str(words.ROOT / SCRIPT))
    sys.stdout.write(script.replace(f"complete_{shell} {SCRIPT}", f"complete_{shell} {path}") + "\n")
