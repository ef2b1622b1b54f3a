"""Runs on the screen: the list, one run, its ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labkit.analysis.statistics import samples_needed
from labkit.runs import RunFiles
from labkit.views.style import COMMAND, FAINT, coarse, duration, house_table

VERDICTS: Mapping[bool | None, tuple[str, str]] = {
    True: ("ok", "green"),
    False: ("broken", "bold red"),
    None: ("unknown", "yellow"),
}
_STATES = {"finished": "", "running": "cyan", "interrupted": "yellow"}
LEDGER = (
    ("attempted", "jobs that were sent"),
    ("accepted", "promised with a 202 or 201"),
    ("rejected", "refused: nothing was promised"),
    ("unknown", "the answer did not tell; sent again under the same key"),
    ("recovered", "unknown, and ended all the same"),
    ("completed", "accepted, and done"),
    ("failed", "accepted, and given up with a reason"),
    ("open", "accepted, and under way when the run was broken off"),
    ("lost", "accepted, and no end to be found"),
    ("duplicated", "finished by more than one attempt"),
    ("redelivered", "handed out again by the broker"),
    ("retried", "tried again after a passing fault"),
    ("resent", "sent again because the answer was unknown"),
    ("verified", "results that were downloaded and are right"),
    ("broken", "results that were downloaded and are wrong"),
)
_ALWAYS = {"attempted", "accepted", "completed", "failed", "lost", "duplicated"}
_FIGURES = (
    ("latency", "from the intended send to the news of its end"),
    ("accept", "until the API answered"),
    ("queue_wait", "in the queue, until a worker took it"),
    ("service", "fetched, processed, stored"),
)


def runs_table(runs: Sequence[tuple[int, RunFiles]]) -> RenderableType:
    """Return one line a run: number, name, begin, workers, jobs, rate, latency, verdict."""
    right = ("#", "workers", "jobs", "jobs/s", "P50")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("#", "run", "begun", "workers", "jobs", "jobs/s", "P50", "ledger"):
        table.add_column(column, justify="right" if column in right else "left", no_wrap=column != "run")
    for number, run in runs:
        table.add_row(str(number), Text(run.name, style=COMMAND), *_cells(run))
    return table


def _cells(run: RunFiles) -> tuple[RenderableType, ...]:
    brief = brief_of(run)
    state = run.state
    outcome = verdict(brief["verdict"]) if state == "finished" else Text(state, style=_STATES[state])
    rate = brief["throughput_per_s"]
    p50 = brief["p50_ms"]
    return (
        begun(run),
        _workers(run.settings.get("workers")),
        _count(brief["jobs"]),
        "-" if rate is None else f"{rate:.1f}",
        "-" if p50 is None else duration(p50 / 1000),
        outcome,
    )


def _workers(chosen: object) -> str:
    """Return the number of workers, of all pools together."""
    if isinstance(chosen, dict):
        return str(sum(count for count in chosen.values() if isinstance(count, int)))
    return _count(chosen)


def brief_of(run: RunFiles) -> dict[str, Any]:
    """Return a run in a line: what `results list --json` prints of it. Rates per second, times in ms."""
    ledger, summary = run.ledger, run.summary
    return {
        "run": run.directory,
        "name": run.name,
        "state": run.state,
        "begun": run.about.get("begun"),
        "jobs": ledger.get("attempted"),
        "completed": ledger.get("completed"),
        "lost": ledger.get("lost"),
        "throughput_per_s": summary.get("good_per_s"),
        "p50_ms": _of(summary, "latency", "p50_ms"),
        "p95_ms": _of(summary, "latency", "p95_ms"),
        "verdict": ledger.get("verdict"),
        "settings": run.settings,
    }


def run_page(run: RunFiles, commands: Sequence[tuple[str, str]] = ()) -> RenderableType:
    """Return one run: how it ended, its ledger, its figures, what was done meanwhile, its settings."""
    parts: list[RenderableType] = [headline(run), Text(f"{run.directory}, begun {begun(run)}", style=FAINT)]
    if run.jobs:
        parts += [Text(""), ledger_table(run.ledger), Text(""), *_latencies(run.summary)]
    parts += [Text(""), *_marks(run), settings_line(run.settings)]
    parts += [Text.assemble((what, COMMAND), "  ", (why, FAINT)) for what, why in commands]
    return Group(*parts)


def headline(run: RunFiles) -> Text:
    """Return the verdict in a sentence, or that the run did not come to its end."""
    if run.state == "running":
        return Text("This run is still under way.", style="bold cyan")
    if run.state == "interrupted":
        return Text("This run was interrupted; what follows is what it knew until then.", style="bold yellow")
    return Text(*verdict_sentence(run.ledger.get("verdict")))


def verdict_sentence(found: bool | None) -> tuple[str, str]:  # noqa: FBT001  (three values, no flag)
    """Return what a ledger's verdict means, and its style."""
    if found:
        return "Every job is accounted for.", "bold green"
    if found is None:
        return "Too little is known to judge.", "bold yellow"
    return "Some jobs are missing or wrong.", "bold red"


def verdict(found: bool | None) -> Text:  # noqa: FBT001  (three values, no flag)
    """Return a verdict in a word."""
    return Text(*VERDICTS[found])


def ledger_page(run: RunFiles) -> RenderableType:
    """Return the ledger with what each line means."""
    line = Text(f"{run.directory}, begun {begun(run)}", style=FAINT)
    if not run.ledger:
        return Group(headline(run), line, Text("It left no jobs."))
    return Group(headline(run), line, Text(""), ledger_table(run.ledger))


def ledger_table(ledger: Mapping[str, Any]) -> Table:
    """Return the lines of a ledger that hold something, or that must be seen to hold nothing."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style=FAINT)
    for name, meaning in LEDGER:
        count = ledger.get(name)
        if count or name in _ALWAYS:
            bad = bool(count) and name in ("lost", "broken")
            table.add_row(name, Text(_count(count), style="bold red" if bad else "bold"), meaning)
    for reason, count in sorted((ledger.get("failed_by_reason") or {}).items()):
        table.add_row("", str(count), f"failed: {reason}")
    return table


def begun(run: RunFiles) -> str:
    """Return when a run began, in the time zone of this machine."""
    try:
        moment = datetime.fromisoformat(str(run.about["begun"])).astimezone()
    except (KeyError, ValueError):
        return "-"
    return f"{moment:%Y-%m-%d %H:%M}"


def settings_line(settings: Mapping[str, Any]) -> Text:
    """Return the settings of a run, in a line."""
    parts = (f"{name.replace('_', ' ')} {spoken(value)}" for name, value in settings.items())
    return Text("; ".join(parts), style=FAINT)


def spoken(value: object) -> str:
    """Return a value of a setting as people write it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {spoken(entry)}" for name, entry in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(spoken, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)


def _latencies(summary: Mapping[str, Any]) -> list[RenderableType]:
    rate, seconds = summary.get("good_per_s") or 0.0, summary.get("duration_s") or 0.0
    table = house_table("", "P50", "P95", "", right=("P50", "P95"))
    few = False
    for name, meaning in _FIGURES:
        spread = summary.get(name) or {}
        few = few or 0 < (spread.get("samples") or 0) < samples_needed(0.95)
        p50, p95 = (_figure(spread.get(key)) for key in ("p50_ms", "p95_ms"))
        table.add_row(name.replace("_", " "), p50, p95, Text(meaning, style=FAINT))
    note = [Text("P95 of fewer than 200 jobs: few samples, take it as a hint", style=FAINT)] if few else []
    done = f"{rate:.2f} completed jobs/s over {coarse(seconds)}"
    return [Text(done, style="bold"), table, *note]


def _marks(run: RunFiles) -> list[RenderableType]:
    if not run.marks:
        return []
    zero = min((row["intended"] for row in run.jobs if row["intended"]), default=run.marks[0].at)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", style="cyan")
    for mark in run.marks:
        table.add_row(f"{mark.at - zero:+.1f} s", Text(mark.text))
    return [Text("What was done meanwhile", style="bold"), table, Text("")]


def _of(summary: Mapping[str, Any], name: str, figure: str) -> float | None:
    found = (summary.get(name) or {}).get(figure)
    return None if found is None else float(found)


def _figure(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else duration(milliseconds / 1000)


def _count(value: object) -> str:
    return "-" if value is None else str(value)
