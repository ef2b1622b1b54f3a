"""chaos show, fail-rate, delay, store-latency, clear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from labkit.cli.context import Lab
from labkit.cli.options import BREAK, AsJson, examples
from labkit.control import chaos as faults
from labkit.views.faults import faults_text
from services.common.control import Faults

app = typer.Typer()
chaos = typer.Typer(no_args_is_help=True, help="Let things go wrong while the stack runs.")
app.add_typer(chaos, name="chaos", rich_help_panel=BREAK)


@chaos.command(epilog=examples("chaos show"))
def show(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show the faults in force."""
    lab = Lab.of(ctx)
    found = faults.show(lab.access())
    lab.show(faults_text(found), found.model_dump(exclude={"version"}), as_json=as_json)


@chaos.command("fail-rate", epilog=examples("chaos fail-rate 0.1"))
def fail_rate(
    ctx: typer.Context,
    share: Annotated[float, typer.Argument(min=0, max=1, help="0.1 lets one attempt in ten fail.")],
) -> None:
    """Let attempts fail as if by a passing fault; they are tried again."""
    _change(ctx, faults.fail_rate(share))


@chaos.command(epilog=examples("chaos delay convert=500ms", "chaos delay resize=300ms text=1s"))
def delay(
    ctx: typer.Context,
    assignments: Annotated[
        list[str], typer.Argument(metavar="OPERATION=TIME...", help="convert=500ms; text=1s for text jobs.")
    ],
) -> None:
    """Let jobs with an operation take longer; OPERATION=0 takes it away."""
    _change(ctx, faults.delay(assignments))


@chaos.command("store-latency", epilog=examples("chaos store-latency 100ms"))
def store_latency(
    ctx: typer.Context, time: Annotated[str, typer.Argument(metavar="TIME", help="100ms, 2s; 0: none.")]
) -> None:
    """Let each call of a worker to the object store take longer."""
    _change(ctx, faults.store_latency(time))


@chaos.command(epilog=examples("chaos clear"))
def clear(ctx: typer.Context) -> None:
    """Let nothing go wrong any more."""
    _change(ctx, faults.clear)


def _change(ctx: typer.Context, update: Callable[[Faults], Faults]) -> None:
    lab = Lab.of(ctx)
    lab.out.print(faults_text(faults.change(lab.access(), update, lab.runtime.project)))
