"""lab: the commands of the guided labs."""

from __future__ import annotations

import typer

from labkit.cli import lab_outcome, lab_work
from labkit.cli.options import LABS

app = typer.Typer()
lab = typer.Typer(no_args_is_help=True, help="Guided labs: predict, do, look, check.")
lab.add_typer(lab_work.app)
lab.add_typer(lab_outcome.app)
app.add_typer(lab, name="lab", rich_help_panel=LABS)
