"""db stats, db recent, db times."""

from __future__ import annotations

import contextlib

import typer

from labkit.cli.context import Lab
from labkit.cli.options import LOOK, AsJson, examples
from labkit.queries import RECENT, STATS, TIMES
from labkit.views.query import query_page

app = typer.Typer()
db = typer.Typer(no_args_is_help=True, help="Ask the job table, and see the SQL.")
app.add_typer(db, name="db", rich_help_panel=LOOK)


@db.command(epilog=examples("db stats"))
def stats(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Count the jobs of each status."""
    _ask(ctx, STATS, as_json=as_json)


@db.command(epilog=examples("db recent"))
def recent(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the last twenty jobs."""
    _ask(ctx, RECENT, as_json=as_json)


@db.command(epilog=examples("db times"))
def times(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show how long the work took, by operations."""
    _ask(ctx, TIMES, as_json=as_json)


def _ask(ctx: typer.Context, sql: str, *, as_json: bool) -> None:
    lab = Lab.of(ctx)
    with contextlib.closing(lab.access().jobs()) as table:
        columns, rows = table.query(sql)
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    lab.show(query_page(sql, columns, rows), {"sql": sql, "rows": records}, as_json=as_json)
