"""scale, kill, pause, resume, restart."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated

import typer

from labkit.cli.context import Lab
from labkit.cli.live import countdown
from labkit.cli.options import BREAK, CLASS, OptionalTarget, Target, complete_scale, examples
from labkit.control import faults
from labkit.control.faults import Victim
from labkit.control.scaling import Scaled
from labkit.control.scaling import scale as scale_service
from labkit.stack import WORKER, WORKERS
from labkit.views.style import duration
from labkit.words import command

app = typer.Typer()


def counts(words: Sequence[str]) -> dict[str, int]:
    """Read `3`, `worker 3` or `worker=3 api=2` as numbers of instances. Raises typer.BadParameter."""
    pairs = [word.partition("=")[::2] for word in words]
    if len(words) == 1 and "=" not in words[0]:
        pairs = [(WORKER, words[0])]
    elif len(words) == 2 and "=" not in "".join(words):  # noqa: PLR2004  (a name and a number)
        pairs = [(words[0], words[1])]
    if not all(name and number.isdecimal() for name, number in pairs):
        raise typer.BadParameter(f"{' '.join(words)!r} is not like 3, worker=3 or worker 3.")
    return {name: int(number) for name, number in pairs}


@app.command(rich_help_panel=CLASS, epilog=examples("scale 3", "scale worker=3 api=2", "scale convert=3"))
def scale(
    ctx: typer.Context,
    wanted: Annotated[
        list[str],
        typer.Argument(
            metavar="COUNT",
            help="A number of workers, or SERVICE=NUMBER.",
            autocompletion=complete_scale,
        ),
    ],
) -> None:
    """Run more or fewer workers, and wait until all work.

    The layout per-operation has five pools: rotate, resize, force_resize, convert and other. A worker that
    has to go finishes its job first.
    """
    lab = Lab.of(ctx)
    for service, count in counts(wanted).items():
        with lab.out.status(f"{service} → {count} …"):
            done = scale_service(lab.running(), lab.access(), service, count)
        lab.say(_scaled(done))


@app.command(
    rich_help_panel=CLASS, epilog=examples("kill --random", "kill worker-2", "kill worker --down-for 10")
)
def kill(
    ctx: typer.Context,
    name: OptionalTarget = None,
    at_random: Annotated[
        bool, typer.Option("--random", help="One instance by chance, a worker if no NAME is given.")
    ] = False,
    down_for: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Keep it down so long, then start it.")
    ] = None,
) -> None:
    """Crash a worker or any other instance (SIGKILL).

    A service's name crashes all its instances. They start again by themselves.
    """
    if name is None and not at_random:
        raise typer.BadParameter("Say whom to kill: a NAME or --random.")
    lab = Lab.of(ctx)
    found = faults.alive(faults.targets(lab.runtime, name) if name else faults.workers(lab.runtime))
    if at_random:
        found = faults.choose(found, random.Random())
    if down_for is None:
        _tell(lab, faults.kill(lab.runtime, lab.access(), found))
        again = "it" if len(found) == 1 else "them"
        lab.say(f"The supervisor starts {again} again. See: {command('ps')}")
        return
    names = [entry.name for entry in found]
    with faults.brought_back(lab.runtime, names):
        _tell(lab, faults.kill(lab.runtime, lab.access(), found, respawn=False))
        countdown(lab, down_for, f"until {', '.join(names)} comes back (Ctrl-C: at once)")
        lab.say(f"Starting {', '.join(names)} …")
    lab.say(f"{', '.join(names)}: back and ready.", style="green")


@app.command(rich_help_panel=BREAK, epilog=examples("pause worker-1"))
def pause(ctx: typer.Context, name: Target) -> None:
    """Freeze an instance, or all of a service.

    It keeps its connections and its job, but does nothing.
    """
    lab = Lab.of(ctx)
    for entry in faults.alive(faults.targets(lab.runtime, name)):
        faults.pause(lab.runtime, entry.name)
        lab.say(f"{entry.name} is paused. Go on: {command(f'resume {entry.name}')}")


@app.command(rich_help_panel=BREAK, epilog=examples("resume worker-1", "resume worker"))
def resume(ctx: typer.Context, name: Target) -> None:
    """Let a paused instance go on, or all of a service."""
    lab = Lab.of(ctx)
    for entry in faults.alive(faults.targets(lab.runtime, name)):
        faults.resume(lab.runtime, entry.name)
        lab.say(f"{entry.name} goes on.")


@app.command(rich_help_panel=BREAK, epilog=examples("restart worker-1", "restart rabbitmq"))
def restart(ctx: typer.Context, name: Target) -> None:
    """End an instance politely, and start it again.

    A service's name restarts all its instances, one after the other. A worker finishes its job first: it has
    8 s, and always 3 s more than LAB_MAX_PROCESSING_TIME_S. What takes longer is killed and comes again.
    """
    lab = Lab.of(ctx)
    for entry in faults.targets(lab.runtime, name):
        with lab.out.status(f"{entry.name} ends its work and starts again …"):
            faults.restart(lab.runtime, entry.name)
        lab.say(f"{entry.name} is back and ready.")


def _tell(lab: Lab, victims: Sequence[Victim]) -> None:
    for victim in victims:
        lab.say(_killed(victim), style="red")


def _killed(victim: Victim) -> str:
    text = f"Killed {victim.instance.name} (process {victim.instance.id})."
    if victim.instance.service not in WORKERS:
        return text
    if victim.job_ids is None:
        return f"{text} What it held is not known: no heartbeat was heard."
    held = ", ".join(victim.job_ids)
    return f"{text} It held job {held}." if held else f"{text} It held no job."


def _scaled(done: Scaled) -> str:
    moved = f"{done.service}: {done.before} → {done.after}, ready in {duration(done.seconds)}"
    return f"{moved} (but not every heartbeat was heard)" if done.heard is False else moved
