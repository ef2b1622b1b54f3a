"""bench pipeline, messages, accept, load, live, soak, monitor."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Annotated

import typer

from labkit.cli.context import Lab
from labkit.cli.lifecycle import start
from labkit.cli.options import KIT, AsJson, examples
from labkit.stack import WORKER, Options
from labkit.views import bench as view

app = typer.Typer()
bench = typer.Typer(no_args_is_help=True, help="Measure what the pipeline costs, against a bare twin.")
app.add_typer(bench, name="bench", rich_help_panel=KIT)

Pairs = Annotated[int, typer.Option(min=5, max=50, help="Turns of both arms.")]
WIDE_PREFETCH, WIDE_CONCURRENCY = 128, 64


@bench.command(epilog=examples("bench pipeline", "bench pipeline --pairs 7 --json"))
def pipeline(
    ctx: typer.Context,
    pairs: Pairs = 5,
    jobs: Annotated[int, typer.Option(min=20, max=2000, help="Jobs in one turn.")] = 200,
    workers: Annotated[int | None, typer.Option(min=1, help="Workers; as many as cores.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure image jobs a second against bare Pillow in as many processes."""
    from labkit.bench import pipeline as arms  # noqa: PLC0415 - slow

    count = workers or os.cpu_count() or 1
    lab = _up(ctx, Options(counts={WORKER: count}, prefetch=1, concurrency=1), as_json=as_json)
    found = arms.run(
        lab.runtime, lab.access(), workers=count, pairs=pairs, jobs=jobs, told=view.turn(lab.out, "jobs/s")
    )
    data = {
        **found.comparison.as_json(),
        "cpu_s_per_job": found.cpu_s_per_job,
        "bare_cpu_s_per_job": found.bare_cpu_s_per_job,
    }
    lab.show(view.pipeline(found), data, as_json=as_json)


@bench.command(epilog=examples("bench messages"))
def messages(
    ctx: typer.Context,
    pairs: Pairs = 5,
    jobs: Annotated[int, typer.Option(min=100, max=20_000, help="Jobs in one turn.")] = 3000,
    as_json: AsJson = False,
) -> None:
    """Measure text jobs a second against bare pika with the same messages and events."""
    from labkit.bench import messages as arms  # noqa: PLC0415 - slow

    lab = _up(
        ctx,
        Options(counts={WORKER: 1}, prefetch=WIDE_PREFETCH, concurrency=WIDE_CONCURRENCY),
        as_json=as_json,
    )
    found = arms.run(lab.runtime, lab.access(), pairs=pairs, jobs=jobs, told=view.turn(lab.out, "jobs/s"))
    lab.show(view.comparison(found), found.as_json(), as_json=as_json)


@bench.command(epilog=examples("bench accept"))
def accept(ctx: typer.Context, pairs: Pairs = 5, as_json: AsJson = False) -> None:
    """Measure uploads a second against an endpoint that only stores, and with 500 jobs queued."""
    from labkit.bench import accept as arms  # noqa: PLC0415 - slow

    lab = _up(ctx, Options(counts={WORKER: 1}), as_json=as_json)
    found = arms.run(lab.runtime, pairs=pairs, told=view.turn(lab.out, "uploads/s"))
    queued = arms.backlog(lab.runtime, lab.access(), pairs=pairs)
    data = {**found.as_json(), "p95_ms": [{"empty": one.empty_ms, "full": one.full_ms} for one in queued]}
    lab.show(view.accept(found, queued), data, as_json=as_json)


@bench.command(epilog=examples("bench load", "bench load --seconds 20 --json"))
def load(
    ctx: typer.Context,
    seconds: Annotated[float, typer.Option(min=2, max=120, help="How long each load lasts.")] = 10.0,
    as_json: AsJson = False,
) -> None:
    """Measure how late the load generator sends, and what it takes of the processor."""
    from labkit.bench import load as arms  # noqa: PLC0415 - slow

    lab = _up(ctx, Options(counts={WORKER: 2}), as_json=as_json)
    found = arms.run(lab.runtime, lab.access(), seconds=seconds, told=view.sending(lab.out))
    lab.show(view.load(found), {"loads": found}, as_json=as_json)


@bench.command(epilog=examples("bench live", "bench live --listeners 500 --replicas 2"))
def live(
    ctx: typer.Context,
    listeners: Annotated[int, typer.Option(min=1, max=2000, help="Connections at once.")] = 200,
    rate: Annotated[float, typer.Option(min=1, max=500, help="Jobs a second.")] = 20.0,
    seconds: Annotated[float, typer.Option(min=5, max=600, help="How long each load lasts.")] = 20.0,
    replicas: Annotated[int, typer.Option(min=1, max=4, help="APIs that share the listeners.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Measure what live listeners cost the API, and how soon they know of a change."""
    from labkit.bench import live as arms  # noqa: PLC0415 - slow

    most = {"LAB_MAX_LISTENERS": str(max(500, listeners))}
    options = Options(counts={WORKER: 2, "api": replicas}, prefetch=4, concurrency=4, settings=most)
    lab = _up(ctx, options, as_json=as_json)
    found = arms.run(
        lab.runtime,
        lab.access(),
        listeners=listeners,
        rate=rate,
        seconds=seconds,
        told=view.listening(lab.out),
    )
    lab.show(view.live(found), {"arms": found}, as_json=as_json)
    raise typer.Exit(0 if all(arm.whole == arm.listeners for arm in found) else 1)


@bench.command(epilog=examples("bench soak", "bench soak --jobs 20000"))
def soak(
    ctx: typer.Context,
    jobs: Annotated[int, typer.Option(min=1000, max=1_000_000, help="Jobs, in thousands.")] = 5000,
    as_json: AsJson = False,
) -> None:
    """Measure memory of every service, and what a job costs, over thousands of jobs."""
    from labkit.bench import soak as arms  # noqa: PLC0415 - slow

    lab = _up(ctx, Options(counts={WORKER: 2}, prefetch=1, concurrency=1), as_json=as_json)
    legs = arms.run(lab.runtime, lab.access(), jobs=jobs, told=view.leg(lab.out))
    lab.show(view.soak(legs), {"legs": legs}, as_json=as_json)


@bench.command(epilog=examples("bench monitor", "bench monitor --seconds 20 --json"))
def monitor(
    ctx: typer.Context,
    seconds: Annotated[float, typer.Option(min=10, max=600, help="Length of each of two measurements.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Measure the CPU that the monitor itself takes, at rest and during a load."""
    from labkit.bench import monitor as arms  # noqa: PLC0415 - slow

    lab = _up(ctx, Options(counts={WORKER: 3}, prefetch=1, concurrency=1), as_json=as_json)
    costs = arms.run(
        lab.runtime, lab.access(), seconds=seconds, told=lambda cost: lab.out.print(view.monitor(cost))
    )
    too_dear = any(cost.cpu_percent > view.LIMIT_PERCENT for cost in costs)
    if as_json:
        lab.show("", {"costs": costs, "limit_percent": view.LIMIT_PERCENT}, as_json=True)
    raise typer.Exit(1 if too_dear else 0)


def _up(ctx: typer.Context, options: Options, *, as_json: bool) -> Lab:
    """Bring the stack up as the bench needs it; it stays so until the next `up` or `reset`."""
    lab = Lab.of(ctx)
    if as_json:
        lab.out = lab.err  # standard output belongs to the JSON
    start(lab, replace(options, layout="single"), assume_yes=False)
    return lab
