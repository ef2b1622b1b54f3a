"""doctor, test, completion."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated, Literal

import typer
from typer._completion_shared import get_completion_script

from labkit import doctor as checks
from labkit import suite, words
from labkit.cli.context import Lab
from labkit.cli.options import CLASS, KIT, AsJson, Yes, examples
from labkit.doctor import engine, view
from labkit.errors import Unsupported
from labkit.install.environment import ensure
from labkit.views.suite import suite_line, suite_table

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


@app.command(
    "test",
    rich_help_panel=KIT,
    epilog=examples("test --yes", "test --docker", "test -- tests/unit -k ledger"),
)
def run_checks(
    ctx: typer.Context,
    pytest_arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGS", help="After --: passed on to pytest.")
    ] = None,
    docker: Annotated[bool, typer.Option("--docker", help="Only the tests that need Docker.")] = False,
    yes: Yes = False,
) -> None:
    """Run the kit's own checks: linter, types, tests.

    Three lanes run side by side. With --docker: build the image, and run the tests that need a Docker engine.
    """
    lab = Lab.of(ctx)
    ensure({"test", "notebooks"})
    if docker:
        _need_docker()
        wanted = suite.docker_lanes(pytest_arguments or ())
    else:
        for program in suite.PROGRAMS:
            lab.install(program, yes)
        wanted = suite.lanes(pytest_arguments or ())
    apart = len(wanted) > 1
    try:
        outcomes = suite.run(wanted, partial(_begun, lab, apart), partial(_ended, lab, apart))
    except KeyboardInterrupt:
        lab.say("Stopped; nothing of the tests is left running.")
        raise
    lab.out.rule("result")
    lab.out.print(suite_table(outcomes))
    if not all(outcome.passed for outcome in outcomes):
        raise typer.Exit(1)


def _need_docker() -> None:
    """Refuse to begin without an engine that answers. Raises Unsupported."""
    found = engine.check_docker()
    if not found.ok:
        raise Unsupported(f"The tests with --docker need Docker with Compose v2: {found.detail}.", found.fix)


def _begun(lab: Lab, apart: bool, part: suite.Part) -> None:  # noqa: FBT001  (bound by partial)
    """Say that a part begins; its words follow at once, or when it has ended."""
    if apart:
        lab.say(f"{part.name} has begun")
    else:
        lab.out.rule(part.name)


def _ended(lab: Lab, apart: bool, outcome: suite.Outcome) -> None:  # noqa: FBT001  (bound by partial)
    if apart:
        lab.out.rule(suite_line(outcome))
        sys.stdout.write(outcome.output)
        sys.stdout.flush()


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
