"""dlq stats, list, show, replay, purge."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from labkit.cli.context import Lab
from labkit.cli.options import LOOK, AsJson, Yes, examples
from labkit.errors import BadValue
from labkit.views.dlq import dead_letters, letter_page, letters_table, replay_text
from labkit.words import command

app = typer.Typer()
dlq = typer.Typer(no_args_is_help=True, help="The dead-letter queue: jobs that were given up.")
app.add_typer(dlq, name="dlq", rich_help_panel=LOOK)

JobIdArgument = Annotated[str, typer.Argument(metavar="ID", help="As dlq list prints it.")]


@dlq.command(epilog=examples("dlq stats"))
def stats(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Count what was given up, by reason."""
    lab = Lab.of(ctx)
    found = lab.fetch("/dlq/stats")
    lab.show(dead_letters(found), found, as_json=as_json)


@dlq.command("list", epilog=examples("dlq list", "dlq list --limit 200"))
def listed(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the dead letters, oldest first; they stay where they are."""
    lab = Lab.of(ctx)
    found = lab.fetch("/dlq", limit=limit)
    lab.show(letters_table(found["letters"]), found, as_json=as_json)


@dlq.command(epilog=examples("dlq show 4f1c7f0e5a3b4f6f9d2c8b7a6e5d4c3b"))
def show(ctx: typer.Context, job_id: JobIdArgument, as_json: AsJson = False) -> None:
    """Show one dead letter: its headers, and the job in it."""
    lab = Lab.of(ctx)
    found = lab.fetch(f"/dlq/{job_id}")
    lab.show(letter_page(found), found, as_json=as_json)


@dlq.command(epilog=examples("dlq replay --all --dry-run", "dlq replay --all --rate 5"))
def replay(
    ctx: typer.Context,
    job_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="Jobs to send again.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Send every job in the queue.")] = False,
    rate: Annotated[float | None, typer.Option(min=0.01, max=1000, help="Jobs a second at the most.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, send nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead jobs again, as a new generation."""
    if everything == bool(job_ids):
        raise BadValue("It is not clear what to send again.", f"Name jobs, or: {command('dlq replay --all')}")
    lab = Lab.of(ctx)
    wanted = {"ids": job_ids or [], "all": everything, "rate": rate, "dry_run": dry_run}
    done = _replay(lab, wanted)
    lab.show(replay_text(done), done, as_json=as_json)
    if done["missing"]:
        raise typer.Exit(1)


@dlq.command(epilog=examples("dlq purge", "dlq purge --yes"))
def purge(ctx: typer.Context, yes: Yes = False) -> None:
    """Drop all dead letters; their jobs stay failed."""
    lab = Lab.of(ctx)
    count = lab.fetch("/dlq/stats")["failed_messages"]
    if not yes and not lab.ask(f"Drop {count} dead letters for good?"):
        lab.say("Nothing was changed.")
        return
    lab.say(f"Dropped {lab.order('DELETE', '/dlq')['purged']} dead letters.")


def _replay(lab: Lab, wanted: dict[str, Any]) -> dict[str, Any]:
    """Ask until nothing is left: the API works on one request for some seconds only."""
    done = lab.order("POST", "/dlq/replay", json=wanted)
    while done["left"] and not done["dry_run"]:
        more = lab.order("POST", "/dlq/replay", json={**wanted, "ids": _rest(wanted, done)})
        for name in ("job_ids", "skipped"):
            more[name] = [*done[name], *(entry for entry in more[name] if entry not in done[name])]
        done = {**more, "replayed": len(more["job_ids"])}
    return done


def _rest(wanted: dict[str, Any], done: dict[str, Any]) -> list[str]:
    return [job_id for job_id in wanted["ids"] if job_id not in done["job_ids"]]
