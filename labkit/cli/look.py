"""status, ps, urls, config, logs."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from labkit.cli.context import Lab
from labkit.cli.options import CLASS, LOOK, AsJson, OptionalTarget, examples
from labkit.effective import effective
from labkit.links import links, logins
from labkit.overview import look
from labkit.views.instances import instances_table
from labkit.views.links import links_table
from labkit.views.logs import log_line, log_record
from labkit.views.settings import settings_table
from labkit.views.status import status_page
from labkit.words import command

app = typer.Typer()


@app.command(rich_help_panel=CLASS, epilog=examples("status", "status --json"))
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show services, queues and jobs on one screen."""
    lab = Lab.of(ctx)
    overview = look(lab.running(), lab.access())
    lab.show(status_page(overview, lab.runtime.kind), overview, as_json=as_json)


@app.command(rich_help_panel=LOOK, epilog=examples("ps", "ps --json"))
def ps(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List all instances: state, process, CPU, memory."""
    lab = Lab.of(ctx)
    found = lab.running().instances()
    stats = {entry.instance: entry for entry in lab.runtime.stats()}
    page = instances_table(found, stats, datetime.now(UTC))
    lab.show(page, {"instances": found, "stats": list(stats.values())}, as_json=as_json)


@app.command(rich_help_panel=LOOK, epilog=examples("urls", "urls --secrets"))
def urls(
    ctx: typer.Context,
    secrets: Annotated[bool, typer.Option("--secrets", help="Print the logins too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show where everything answers."""
    lab = Lab.of(ctx)
    found = links(lab.running())
    known = logins(lab.runtime.environment()) if secrets else []
    lab.show(links_table(found, known), {"urls": found, "logins": known}, as_json=as_json)
    if not secrets and not as_json:
        lab.say(f"Logins: {command('urls --secrets')}", style="dim")


@app.command(rich_help_panel=LOOK, epilog=examples("config", "config --json"))
def config(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show the settings in force; secrets are hidden.

    The last column says where a value comes from: the default, you, or the running stack.
    """
    lab = Lab.of(ctx)
    found = effective(lab.settings, lab.runtime)
    lab.show(settings_table(found), found, as_json=as_json)


@app.command(rich_help_panel=CLASS, epilog=examples("logs", "logs worker -f", "logs rabbitmq-1 -n 200"))
def logs(
    ctx: typer.Context,
    name: OptionalTarget = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines of each instance.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Show what the programs say."""
    lab = Lab.of(ctx)
    width = max(len(entry.name) for entry in lab.running().instances())
    for line in lab.runtime.logs(name, follow=follow, lines=lines):
        if as_json:
            sys.stdout.write(json.dumps(log_record(line), ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            lab.out.print(log_line(line, width), soft_wrap=True)
