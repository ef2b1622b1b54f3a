"""notebook."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit.cli.context import Lab
from labkit.cli.options import MEASURE, examples
from labkit.install.environment import ensure
from labkit.notebooks.server import PORT, serve

app = typer.Typer()


@app.command(rich_help_panel=MEASURE, epilog=examples("notebook", "notebook --no-browser --port 9999"))
def notebook(
    ctx: typer.Context,
    port: Annotated[
        int, typer.Option(min=1024, max=65_535, help="Where it answers, or the next free.")
    ] = PORT,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Open the notebooks about your runs, in JupyterLab."""
    ensure({"notebooks"})
    Lab.of(ctx).say("JupyterLab starts; Ctrl-C in this window ends it.")
    raise typer.Exit(serve(port, browser=not no_browser))
