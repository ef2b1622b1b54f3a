"""bulk, burst, rate, mix, messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from labkit.analysis.thresholds import Judged, Threshold, judge, parse, verdict
from labkit.cli.context import Lab
from labkit.cli.live import page
from labkit.cli.options import MEASURE, AsJson, examples
from labkit.cli.screen import watching
from labkit.errors import BadValue
from labkit.load import workloads
from labkit.load.arrivals import Arrivals, ClosedLoop, OpenLoop, at_once, bursts, constant, poisson, ramp
from labkit.load.session import Progress
from labkit.load.workloads import GRID_OPERATIONS, Workload
from labkit.measure import Interrupted, Measured, measure
from labkit.views.load import load_page, load_progress, progress_line, written

app = typer.Typer()

MAX_IMAGES, MAX_MESSAGES = 10_000, 50_000
MAX_RATE, MAX_DURATION_S, MAX_SENDERS = 2000, 3600, 256
MAX_PROCESSING_TIME_S = 60
VERIFY_SAMPLE = 100
LINE_EVERY_S = 5.0

Name = Annotated[str | None, typer.Option("--name", help="Name of the run; the command's, if not given.")]
Seed = Annotated[int, typer.Option(min=0, help="For pictures and chance: the same seed, the same load.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show the monitor meanwhile.")]
Thresholds = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold",
        metavar="LIMIT",
        help="A limit: 'p95<1500' (ms), 'lost==0'. Broken: exit code 1, unknown: 2. May be repeated.",
    ),
]
Operations = Annotated[str, typer.Option(help="What is done to each picture.")]
ProcessingTime = Annotated[
    float | None,
    typer.Option(min=0, max=MAX_PROCESSING_TIME_S, metavar="SECONDS", help="Send text jobs of this length."),
]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options that all load commands share ask for."""

    name: str
    seed: int
    watch: bool
    as_json: bool
    thresholds: Sequence[Threshold]

    @classmethod
    def of(cls, name: str, seed: int, thresholds: list[str] | None, *, watch: bool, as_json: bool) -> Asked:
        """Read the options. Raises BadValue."""
        return cls(name, seed, watch, as_json, [parse(text) for text in thresholds or ()])


@app.command(
    rich_help_panel=MEASURE,
    epilog=examples("bulk", "bulk --count 100 --concurrency 10 --operations resize,watermark"),
)
def bulk(
    ctx: typer.Context,
    count: Annotated[int, typer.Option(min=1, max=MAX_IMAGES, help="How many jobs.")] = 100,
    concurrency: Annotated[int, typer.Option(min=1, max=MAX_SENDERS, help="How many send at once.")] = 10,
    operations: Operations = GRID_OPERATIONS,
    name: Name = None,
    seed: Seed = 1,
    watch: Watch = False,
    as_json: AsJson = False,
    threshold: Thresholds = None,
) -> None:
    """Send images; each sender waits for its answer (closed loop)."""
    asked = Asked.of(name or "bulk", seed, threshold, watch=watch, as_json=as_json)
    _load(ctx, asked, workloads.grid(count, operations, seed), ClosedLoop(concurrency))


@app.command(
    rich_help_panel=MEASURE,
    epilog=examples(
        "burst 60 --times 3 --every 5",
        "burst --burst-size 50 --burst-count 3 --interval 5",
        "burst 60 --times 3 --every 5 --processing-time 0.25",
    ),
)
def burst(
    ctx: typer.Context,
    size: Annotated[
        int | None, typer.Argument(min=1, max=1000, metavar="SIZE", help="Jobs in a burst; 50.")
    ] = None,
    burst_size: Annotated[int, typer.Option(min=1, max=1000, help="The same as SIZE.")] = 50,
    times: Annotated[
        int, typer.Option("--times", "--burst-count", min=1, max=100, help="How many bursts.")
    ] = 3,
    every: Annotated[
        float, typer.Option("--every", "--interval", min=0.1, max=600, help="Seconds between them.")
    ] = 5.0,
    operations: Operations = GRID_OPERATIONS,
    processing_time: ProcessingTime = None,
    name: Name = None,
    seed: Seed = 1,
    watch: Watch = False,
    as_json: AsJson = False,
    threshold: Thresholds = None,
) -> None:
    """Send jobs in bursts; see backlog and drain time of each.

    Images, or text jobs with --processing-time.
    """
    asked = Asked.of(name or "burst", seed, threshold, watch=watch, as_json=as_json)
    jobs = size or burst_size
    workload = _jobs(jobs * times, operations, processing_time, seed)
    _load(ctx, asked, workload, bursts(jobs, times, every))


@app.command(
    rich_help_panel=MEASURE,
    epilog=examples(
        "rate --rps 5 --duration 60",
        "rate --rps 5 --duration 60 --poisson",
        "rate --ramp 1:20 --duration 60 --processing-time 0.5",
    ),
)
def rate(
    ctx: typer.Context,
    rps: Annotated[float, typer.Option(min=0.1, max=MAX_RATE, help="Jobs a second.")] = 5.0,
    duration: Annotated[float, typer.Option(min=1, max=MAX_DURATION_S, help="Seconds.")] = 60.0,
    by_chance: Annotated[
        bool, typer.Option("--poisson", help="Send at random times, as independent clients do.")
    ] = False,
    slope: Annotated[
        str | None, typer.Option("--ramp", metavar="FROM:TO", help="Let the rate move, instead of --rps.")
    ] = None,
    operations: Operations = GRID_OPERATIONS,
    processing_time: ProcessingTime = None,
    name: Name = None,
    seed: Seed = 1,
    watch: Watch = False,
    as_json: AsJson = False,
    threshold: Thresholds = None,
) -> None:
    """Send jobs at a rate, however slow the answers (open loop)."""
    asked = Asked.of(name or "rate", seed, threshold, watch=watch, as_json=as_json)
    arrivals = _at_rate(rps, duration, seed, slope, by_chance=by_chance)
    limit = MAX_IMAGES if processing_time is None else MAX_MESSAGES
    workload = _jobs(_bounded(len(arrivals.offsets_s), limit), operations, processing_time, seed)
    _load(ctx, asked, workload, arrivals)


@app.command(rich_help_panel=MEASURE, epilog=examples("mix", "mix --jobs 200 --threshold 'lost==0'"))
def mix(
    ctx: typer.Context,
    jobs: Annotated[int, typer.Option(min=1, max=MAX_IMAGES, help="How many jobs.")] = 100,
    name: Name = None,
    seed: Seed = 1,
    watch: Watch = False,
    as_json: AsJson = False,
    threshold: Thresholds = None,
) -> None:
    """Send the reference load: four operations, all jobs at once."""
    asked = Asked.of(name or "mix", seed, threshold, watch=watch, as_json=as_json)
    _load(ctx, asked, workloads.mix(jobs, seed), at_once(jobs))


@app.command(
    rich_help_panel=MEASURE,
    epilog=examples("messages 40 --processing-time 1", "messages --rps 200 --duration 30"),
)
def messages(
    ctx: typer.Context,
    count: Annotated[
        int | None,
        typer.Argument(min=1, max=MAX_MESSAGES, metavar="COUNT", help="Jobs, all at once; 40 without --rps."),
    ] = None,
    processing_time: Annotated[
        str,
        typer.Option(metavar="SECONDS", help="How long each job takes; several take turns: 0.5,0.05."),
    ] = "0",
    rps: Annotated[float | None, typer.Option(min=0.1, max=MAX_RATE, help="Jobs a second instead.")] = None,
    duration: Annotated[float, typer.Option(min=1, max=MAX_DURATION_S, help="Seconds, with --rps.")] = 30.0,
    priority: Annotated[int, typer.Option(min=0, max=9, help="9 goes first, from RabbitMQ 4.0 on.")] = 0,
    name: Name = None,
    seed: Seed = 1,
    watch: Watch = False,
    as_json: AsJson = False,
    threshold: Thresholds = None,
) -> None:
    """Send text jobs: no image, a fixed time of work."""
    if count is not None and rps is not None:
        raise typer.BadParameter("COUNT and --rps exclude each other: --rps with --duration says how many.")
    asked = Asked.of(name or "messages", seed, threshold, watch=watch, as_json=as_json)
    arrivals = at_once(count or 40) if rps is None else _at_rate(rps, duration, seed, None)
    number = _bounded(len(arrivals.offsets_s), MAX_MESSAGES)
    _load(ctx, asked, workloads.text(number, _times(processing_time), priority), arrivals)


def _load(ctx: typer.Context, asked: Asked, workload: Workload, arrivals: Arrivals) -> None:
    lab = Lab.of(ctx)
    if asked.as_json:
        lab.out = lab.err  # standard output belongs to the JSON
    cut = False
    with _shown(lab, asked) as show:
        try:
            found = measure(
                lab.running(),
                lab.access(),
                workload,
                arrivals,
                name=asked.name,
                settings={"seed": asked.seed, "thresholds": list(map(str, asked.thresholds))},
                watch=show,
                verify_sample=VERIFY_SAMPLE,
                runs=lab.runs,
            )
        except Interrupted as stopped:
            found, cut = stopped.measured, True
    _finish(lab, asked, found, cut=cut)


def _finish(lab: Lab, asked: Asked, found: Measured, *, cut: bool) -> None:
    judged = [judge(one, found.ledger, found.summary) for one in asked.thresholds]
    ended = verdict(found.ledger, judged)
    lab.show(
        load_page(found.ledger, found.summary, judged, cut=cut),
        _as_json(found, judged, ended=ended, cut=cut),
        as_json=asked.as_json,
    )
    if not asked.as_json:
        lab.out.print(written(str(_near(found.run))), soft_wrap=True)
    if cut:
        raise typer.Exit(130)
    if ended is not True:
        raise typer.Exit(1 if ended is False else 2)


@contextmanager
def _shown(lab: Lab, asked: Asked) -> Iterator[Callable[[Progress], None]]:
    """Give what shows the progress: the monitor, bars on a terminal, else a line every few seconds."""
    if asked.watch:
        with watching(lab, asked.name) as tell:
            yield lambda progress: tell(progress_line(progress))
    elif lab.out.is_interactive:
        with page(lab) as show:
            yield lambda progress: show(load_progress(progress))
    else:
        yield _lines(lab)


def _lines(lab: Lab) -> Callable[[Progress], None]:
    due = LINE_EVERY_S

    def line(progress: Progress) -> None:
        nonlocal due
        if progress.elapsed_s >= due:
            due += LINE_EVERY_S
            lab.out.print(progress_line(progress), soft_wrap=True)

    return line


def _as_json(
    found: Measured, judged: Sequence[Judged], *, ended: bool | None, cut: bool
) -> dict[str, object]:
    return {
        "run": str(found.run),
        "state": "interrupted" if cut else "finished",
        "verdict": ended,
        "ledger": {**asdict(found.ledger), "verdict": found.ledger.verdict},
        "summary": asdict(found.summary),
        "thresholds": [
            {"threshold": str(one.threshold), "measured": one.value, "kept": one.kept, "why": one.why}
            for one in judged
        ],
    }


def _jobs(count: int, operations: str, processing_time_s: float | None, seed: int) -> Workload:
    if processing_time_s is None:
        return workloads.grid(_bounded(count, MAX_IMAGES), operations, seed)
    return workloads.text(_bounded(count, MAX_MESSAGES), processing_time_s)


def _at_rate(
    rps: float, duration_s: float, seed: int, slope: str | None, *, by_chance: bool = False
) -> OpenLoop:
    if slope is not None:
        if by_chance:
            raise typer.BadParameter("--ramp and --poisson exclude each other.")
        arrivals = ramp(*_slope(slope), duration_s)
    elif by_chance:
        arrivals = poisson(rps, duration_s, seed)
    else:
        arrivals = constant(rps, max(1, round(rps * duration_s)))
    if not arrivals.offsets_s:
        raise BadValue("At this rate no job is due.", "Ask for more jobs a second, or for more seconds.")
    return arrivals


def _times(text: str) -> list[float]:
    """Read one processing time, or several. Raises typer.BadParameter."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = [-1.0]
    if not all(0 <= seconds <= MAX_PROCESSING_TIME_S for seconds in found):
        raise typer.BadParameter(
            f"{text!r} is not like 0.5 or 0.5,0.05, with times from 0 to {MAX_PROCESSING_TIME_S} seconds."
        )
    return found


def _slope(text: str) -> tuple[float, float]:
    begin, colon, end = text.partition(":")
    try:
        rates = float(begin), float(end)
    except ValueError:
        rates = -1.0, -1.0
    if not colon or not all(0 <= rate <= MAX_RATE for rate in rates):
        raise typer.BadParameter(f"{text!r} is not like 1:20, with rates from 0 to {MAX_RATE} a second.")
    return rates


def _bounded(count: int, most: int) -> int:
    if count > most:
        raise BadValue(f"{count:,} jobs are too many for one run.", f"Send up to {most:,} in one.")
    return count


def _near(path: Path) -> Path:
    """Return the path as it is typed in the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
