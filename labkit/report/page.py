"""The report page: what a run amounts to, its pictures, its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from labkit.analysis.statistics import percentile, samples_needed
from labkit.report import pictures
from labkit.report.markup import Html, joined, table, tag
from labkit.report.series import LATENCY, STAGES, Clock, busy_s, clock_of, grouped, spans
from labkit.runs.files import REPORT
from labkit.runs.read import Row, RunFiles
from labkit.views.results import LEDGER, spoken, verdict_sentence
from labkit.views.style import coarse, duration, plural

STYLE = Path(__file__).with_name("page.css")
QUANTILES = (0.5, 0.9, 0.95, 0.99)
MOST_ROWS = 40


def write_report(run: RunFiles, target: Path | None = None) -> Path:
    """Write the page of a run, into its directory unless `target` says otherwise; return where it is."""
    place = target or run.path / REPORT
    draft = place.with_name(f"{place.name}.part")
    with draft.open("w", encoding="utf-8") as file:  # first, for drawing takes some seconds
        file.write(report_page(run))
    draft.replace(place)
    return place


def report_page(run: RunFiles) -> Html:
    """Return the page of a run, whatever of it there is."""
    clock, found = clock_of(run), spans(run.jobs)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{run.name} · {run.directory}"),
        tag("style", Html(STYLE.read_text(encoding="utf-8"))),
    )
    body = tag("body", tag("main", *_parts(run, clock, found)))
    return Html("<!doctype html>\n") + tag("html", head, body, lang="en") + "\n"  # type: ignore[return-value]


def _parts(run: RunFiles, clock: Clock, found: Mapping[str, Sequence[float]]) -> Iterable[Html]:
    yield _header(run)
    if not run.jobs:
        yield _section("No jobs", "This run ended before its first job was written down.")
    else:
        yield _tiles(run, found)
        yield _over_time(run, clock)
    if found.get(LATENCY):
        yield _latency(found)
    if run.jobs:
        yield _shares(run, clock)
        yield _ledger(run)
    yield _about(run)
    yield tag("footer", f"Made by Queue Lab from {run.directory}. Times are this machine's clock.")


def _header(run: RunFiles) -> Html:
    words, style = verdict_sentence(run.ledger.get("verdict"))
    tone = {"bold green": "good", "bold red": "bad"}.get(style, "")
    if run.state != "finished":
        words, tone = f"This run was {run.state}: the page shows what it knew until then.", ""
    if run.state == "running":
        words = "This run is still under way: the page shows what it knows by now."
    lines = [f"begun {_moment(run.about.get('begun'))}", _workload(run.settings)]
    return tag(
        "header",
        tag("h1", run.name),
        tag("div", " · ".join(filter(None, lines)), class_="faint"),
        tag("div", words, class_=f"verdict {tone}".strip()),
    )


def _tiles(run: RunFiles, found: Mapping[str, Sequence[float]]) -> Html:
    ledger, latency = run.ledger, found.get(LATENCY, ())
    throughput = run.summary.get("good_per_s") or 0.0
    tiles = [
        (f"{ledger.get('completed', 0)}/{ledger.get('attempted', 0)}", "jobs completed"),
        (f"{throughput:.2f}", "completed jobs/s"),
        (_quantile(latency, 0.5), "P50 latency"),
        (_quantile(latency, 0.95), "P95 latency"),
        (coarse(run.summary.get("duration_s") or 0.0), "from first send to last end"),
        (str(ledger.get("lost", 0)), "jobs lost"),
    ]
    return tag(
        "div",
        *(tag("div", tag("b", value), tag("span", name), class_="tile") for value, name in tiles),
        class_="tiles",
    )


def _over_time(run: RunFiles, clock: Clock) -> Html:
    hint = (
        "While more jobs arrive than are completed, the backlog grows, and with it the latency of new jobs."
    )
    return _section("Over time", hint, pictures.timeline(run, clock), _marks(run, clock))


def _marks(run: RunFiles, clock: Clock) -> Html:
    if not run.marks:
        return Html("")
    entries = (
        tag(
            "li",
            tag("b", str(number), class_=mark.kind if mark.kind == "kill" else "mark"),
            tag("time", f"{clock.at(mark.at):.1f} s"),
            mark.text,
        )
        for number, mark in enumerate(run.marks[: 5 * MOST_ROWS], 1)
    )
    return tag("ol", *entries, class_="marks")


def _latency(found: Mapping[str, Sequence[float]]) -> Html:
    hint = (
        "Latency counts from the moment a job was due to the news of its end. A steep line is a stage that"
        " takes about the same for every job; a long slope to the right is one that some jobs wait in."
    )
    few = len(found[LATENCY]) < samples_needed(QUANTILES[-1])
    return _section(
        "Latency",
        hint,
        _split(found),
        pictures.distribution(found),
        _stage_table(found),
        tag("p", "* few samples: take it as a hint", class_="hint") if few else Html(""),
    )


def _split(found: Mapping[str, Sequence[float]]) -> Html:
    """Return a bar of the mean time in each stage."""
    means = {name: fmean(found[name]) for name, _, _ in STAGES if name in found}
    total = sum(means.values())
    if not total:
        return Html("")
    colours = pictures.STAGE_COLOURS
    pieces = (
        tag("i", style=f"width:{100 * mean / total:.2f}%;background:{colours[name]}", title=name)
        for name, mean in means.items()
    )
    keys = (
        tag(
            "span",
            tag("i", style=f"background:{colours[name]}"),
            f"{name} {duration(mean)}, {100 * mean / total:.0f}%",
        )
        for name, mean in means.items()
    )
    title = tag("h3", "Where the mean job spent its time")
    return joined((title, tag("div", *pieces, class_="split"), tag("div", *keys, class_="keys")))


def _stage_table(found: Mapping[str, Sequence[float]]) -> Html:
    head = ("stage", "jobs", "mean", "min", *(f"P{100 * q:.0f}" for q in QUANTILES), "max")
    rows = (
        (
            name,
            str(len(values)),
            duration(fmean(values)),
            duration(min(values)),
            *(_quantile(values, q) for q in QUANTILES),
            duration(max(values)),
        )
        for name, values in found.items()
    )
    return table(head, rows)


def _shares(run: RunFiles, clock: Clock) -> Html:
    parts = [_group_table("worker", grouped(run.jobs, "worker"), clock)]
    for title, column in (("queue", "queue"), ("operations", "operations")):
        groups = grouped(run.jobs, column)
        if len(groups) > 1:
            parts += [tag("h3", f"By {title}"), _group_table(title, groups)]
    hint = "Busy is the share of the run in which a worker had one of these jobs in hand; work is that time."
    return _section("Who did the work", hint, *parts)


def _group_table(title: str, groups: Mapping[str, Sequence[Row]], clock: Clock | None = None) -> Html:
    if not groups:
        return tag("p", "No worker has ended a job.")
    largest = max(map(len, groups.values()))
    total = sum(map(len, groups.values()))
    head = (
        title,
        "",
        "jobs",
        "share",
        "failed",
        "redelivered",
        "work" if clock is None else "busy",
        "P50 service",
        "P50 latency",
    )
    shown = list(groups.items())[:MOST_ROWS]
    made = table(head, (_group_row(name, rows, largest, total, clock) for name, rows in shown))
    if len(groups) > MOST_ROWS:
        return joined((made, tag("p", f"… and {len(groups) - MOST_ROWS} more", class_="hint")))
    return made


def _group_row(
    name: str, rows: Sequence[Row], largest: int, total: int, clock: Clock | None
) -> Iterable[str]:
    done = [row for row in rows if row["outcome"] == "completed"]
    service = [row["finished"] - row["started"] for row in done if row["finished"] and row["started"]]
    yield name
    bar = tag("span", style=f"width:{100 * len(rows) / largest:.1f}%", class_="bar")
    yield tag("td", bar, class_="wide")
    yield str(len(rows))
    yield f"{100 * len(rows) / total:.0f}%"
    yield str(sum(row["outcome"] == "failed" for row in rows))
    yield str(sum(row["redelivered"] or 0 for row in rows))
    yield duration(busy_s(rows)) if clock is None else f"{100 * busy_s(rows) / clock.end_s:.0f}%"
    yield _quantile(service, 0.5)
    yield _quantile(spans(rows).get(LATENCY, ()), 0.5)


def _ledger(run: RunFiles) -> Html:
    rows = [
        (name, str(run.ledger[name]), meaning) for name, meaning in LEDGER if run.ledger.get(name) is not None
    ]
    made = [table(("", "jobs", ""), rows, class_="ledger")]
    reasons = run.ledger.get("failed_by_reason") or {}
    if reasons:
        failed = grouped((row for row in run.jobs if row["outcome"] == "failed"), "reason")
        lines = [(why, str(count), _example(failed.get(why, ()))) for why, count in sorted(reasons.items())]
        made += [tag("h3", "Failed jobs"), table(("reason", "jobs", "for example"), lines, class_="ledger")]
    hint = "Every job that was sent is accounted for, once: attempted = accepted + rejected + unknown."
    return _section("Ledger", hint, *made)


def _example(rows: Sequence[Row]) -> str:
    return next((str(row["error"])[:200] for row in rows if row["error"]), "")


def _about(run: RunFiles) -> Html:
    about = run.about
    revision = {"revision": about["revision"]} if about.get("revision") else {}
    machine = dict(about.get("machine") or {})
    if machine.get("memory_mb"):
        machine["memory"] = f"{machine.pop('memory_mb') / 1000:.1f} GB"
    left = joined((tag("h3", "Settings"), _words(run.settings)))
    right = joined(
        (
            tag("h3", "Machine"),
            _words(machine),
            tag("h3", "Versions"),
            _words({**(about.get("versions") or {}), **revision}),
        )
    )
    return _section(
        "What ran, and where", "", tag("div", tag("div", left), tag("div", right), class_="columns")
    )


def _words(fields: Mapping[str, Any]) -> Html:
    rows = ((name.replace("_", " "), spoken(value)) for name, value in fields.items())
    return tag("div", table((), rows, class_="words"))


def _section(title: str, hint: str, *parts: Html) -> Html:
    words = (tag("p", hint, class_="hint"),) if hint else ()
    return tag("section", tag("h2", title), *words, *parts)


def _workload(settings: Mapping[str, Any]) -> str:
    jobs, workload = settings.get("jobs"), settings.get("workload")
    words = [plural(jobs, "job") if isinstance(jobs, int) else "", f"workload {workload}" if workload else ""]
    return ", ".join(filter(None, [*words, str(settings.get("arrivals") or "")]))


def _quantile(values: Sequence[float], q: float) -> str:
    if not values:
        return "-"
    return duration(percentile(values, q)) + ("*" if len(values) < samples_needed(q) else "")


def _moment(text: object) -> str:
    try:
        return f"{datetime.fromisoformat(str(text)).astimezone():%Y-%m-%d %H:%M %Z}"
    except ValueError:
        return "at an unknown time"
