"""upload, job, jobs, retry."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from labkit import uploads
from labkit.access import api
from labkit.cli.context import Lab
from labkit.cli.live import page
from labkit.cli.options import BREAK, CLASS, LOOK, AsJson, examples
from labkit.uploads import Upload
from labkit.views.jobs import change_line, job_page, jobs_table, names, uploads_table
from labkit.words import command
from services.common.messages import Status

app = typer.Typer()

LISTED = 20


@app.command(
    rich_help_panel=CLASS,
    epilog=examples("upload photo.jpg", 'upload *.png --operations "rotate,90;resize,800x600" --wait'),
)
def upload(
    ctx: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Pictures.", exists=True, dir_okay=False)
    ],
    operations: Annotated[
        str, typer.Option("--operations", "-o", help="What to do, in order, separated by ; or |.")
    ] = "resize",
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for the results.")] = False,
    callback: Annotated[
        str, typer.Option(metavar="URL", help="Where the end of each job is told: see webhook listen.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Send pictures into the pipeline."""
    lab = Lab.of(ctx)
    done = asyncio.run(_upload(lab, files, operations, callback, wait=wait))
    lab.show(uploads_table(done), [_record(entry) for entry in done], as_json=as_json)
    if any(entry.status in ("refused", "failed") for entry in done):
        raise typer.Exit(1)


@app.command(rich_help_panel=LOOK, epilog=examples("job 4f1c7f0e5a3b4f6f9d2c8b7a6e5d4c3b"))
def job(
    ctx: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID", help="As upload and jobs print it.")],
    as_json: AsJson = False,
) -> None:
    """Show one job: what became of it, where its time went.

    With a callback, also how its receiver was told.
    """
    lab = Lab.of(ctx)
    found = lab.fetch(f"/jobs/{job_id}")
    if told := found["links"].get("webhooks"):
        found["webhooks"] = lab.fetch(told)
    lab.show(job_page(found, lab.here(command(f"logs {found['worker']}"))), found, as_json=as_json)


@app.command(
    rich_help_panel=CLASS,
    epilog=examples("jobs", "jobs --status failed", "jobs --operation rotate", "jobs --follow"),
)
def jobs(
    ctx: typer.Context,
    status: Annotated[Status | None, typer.Option(help="Only jobs of this status.")] = None,
    operation: Annotated[str | None, typer.Option(help="Only jobs with this operation.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, max=200, help="How many at most: 20.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print each change from now on, as it happens.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first; or follow what happens to them."""
    lab = Lab.of(ctx)
    if follow:
        asyncio.run(_follow(lab, status, operation, limit, as_json=as_json))
        return
    limit = limit or LISTED
    wanted = {"status": status, "operation": operation, "limit": limit}
    found = lab.fetch("/jobs", **{name: value for name, value in wanted.items() if value is not None})
    lab.show(jobs_table(found["jobs"]), found, as_json=as_json)
    if found["next_cursor"] and not as_json:
        lab.say(f"There are more: {command(f'jobs --limit {min(200, 4 * limit)}')}", style="dim")


@app.command(rich_help_panel=BREAK, epilog=examples("retry 4f1c7f0e5a3b4f6f9d2c8b7a6e5d4c3b"))
def retry(
    ctx: typer.Context, job_id: Annotated[str, typer.Argument(metavar="ID", help="A failed job.")]
) -> None:
    """Send a failed job again."""
    lab = Lab.of(ctx)
    done = lab.order("POST", f"/jobs/{job_id}/retry")
    lab.say(f"Sent again, generation {done['generation']}. Follow it: {command(f'job {job_id}')}")


async def _upload(
    lab: Lab, files: Sequence[Path], operations: str, callback: str, *, wait: bool
) -> list[Upload]:
    async with api(lab.running()) as client:
        sent = await uploads.send(client, files, operations, callback)
        if not wait:
            return sent
        with page(lab) as show:
            return await uploads.follow(client, sent, lambda now: show(uploads_table(now)))


async def _follow(
    lab: Lab, status: Status | None, operation: str | None, limit: int | None, *, as_json: bool
) -> None:
    from labkit.follow import follow  # noqa: PLC0415 - slow

    def away(reason: str) -> None:
        lab.err.print(Text(f"The API is away: {reason}. Asking again each second.", style="yellow"))

    query = [("status", status)] if status else []
    found = follow(lab.running().address("api"), query, away, entry=lab.access().entry)
    wanted = (change async for change in found if operation is None or operation in names(change))
    count = 0
    async for change in wanted:
        if as_json:
            sys.stdout.write(json.dumps(change, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            line = change_line(change)
            line.truncate(lab.out.width if lab.out.is_terminal else line.cell_len, overflow="ellipsis")
            lab.out.print(line, soft_wrap=True)
        count += 1
        if count == limit:
            return


def _record(entry: Upload) -> dict[str, object]:
    return {**entry.job, "file": str(entry.path)}
