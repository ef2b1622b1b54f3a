"""What a report shows of a run: rates, backlog, durations by stage, shares. Pure functions over its rows."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labkit.runs.read import Row, RunFiles

WIDTHS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3600.0)
MOST_BINS = 80

STAGES: tuple[tuple[str, str, str], ...] = (
    ("accept", "sent", "answered"),
    ("queue wait", "published", "started"),
    ("fetch", "started", "fetched"),
    ("process", "fetched", "processed"),
    ("store", "processed", "stored"),
    ("notify", "finished", "notified"),
)
"""Name, begin and end of each stage, as columns of jobs.csv. A text job is not fetched: see `spans`."""

LATENCY = "latency"

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Clock:
    """The time axis of a run: `zero` is its first intended send, in seconds since the epoch."""

    zero: float
    end_s: float

    def at(self, moment: float) -> float:
        """Return seconds since zero."""
        return moment - self.zero


def clock_of(run: RunFiles) -> Clock:
    """Return the time axis: from the first intended send to the last thing that is known."""
    known = [row[name] for row in run.jobs for name in ("intended", "sent", "ended") if row[name]]
    seen = [row["at"] for row in run.samples] or [mark.at for mark in run.marks]
    zero = min(known or seen or [0.0])
    return Clock(zero, max(1e-3, max(known or seen or [0.0]) - zero))


def bin_width(end_s: float) -> float:
    """Return a round width, in seconds, that cuts the run into at most 80 pieces."""
    return next((width for width in WIDTHS_S if end_s / width <= MOST_BINS), WIDTHS_S[-1])


def rate(moments: Iterable[float], clock: Clock) -> Points:
    """Return the number of `moments` a second, for each piece of the run: (its begin, rate)."""
    width = bin_width(clock.end_s)
    counts = Counter(math.floor(clock.at(moment) / width) for moment in moments)
    pieces = max(1, math.ceil(clock.end_s / width))
    return [(number * width, counts[number] / width) for number in range(pieces)]


def moments(rows: Iterable[Row], column: str) -> list[float]:
    """Return the times in a column, as far as they are known."""
    return [row[column] for row in rows if row[column] is not None]


def level(rows: Iterable[Row], begin: str, end: str, clock: Clock) -> Points:
    """Return how many jobs were between `begin` and `end`, after each change: (second, jobs)."""
    steps: list[tuple[float, int]] = []
    for row in rows:
        if row[begin] is not None:
            steps.append((clock.at(row[begin]), 1))
            if row[end] is not None:
                steps.append((clock.at(row[end]), -1))
    count, found = 0, []
    for second, change in sorted(steps):
        count += change
        found.append((second, float(count)))
    return found


def sampled(run: RunFiles, kind: str, column: str, clock: Clock) -> dict[str, Points]:
    """Return a column of the samples by name of the thing, without things where it is always 0 or empty."""
    found: defaultdict[str, Points] = defaultdict(list)
    for row in run.samples:
        if row["kind"] == kind and row[column] is not None:
            found[row["name"]].append((clock.at(row["at"]), float(row[column])))
    return {name: points for name, points in sorted(found.items()) if any(value for _, value in points)}


def summed(series: dict[str, Points], keys: dict[str, str]) -> dict[str, Points]:
    """Return series added up under new names; `keys`: old name → new name."""
    found: defaultdict[str, defaultdict[float, float]] = defaultdict(lambda: defaultdict(float))
    for name, points in series.items():
        for second, value in points:
            found[keys[name]][second] += value
    return {name: sorted(values.items()) for name, values in sorted(found.items())}


def service_of(instance: str) -> str:
    """Return the service of an instance: worker-2 → worker."""
    return instance.rstrip("0123456789").rstrip("-") or instance


def spans(rows: Iterable[Row]) -> dict[str, list[float]]:
    """Return the durations of completed jobs by stage, seconds, without stages that none went through.

    Latency counts from the intended send to the moment its end was seen, by the load generator's clock; the
    stages come from the stage clock. The processing of a text job counts from its start: it fetches nothing.
    """
    found: dict[str, list[float]] = {name: [] for name in (LATENCY, *(name for name, _, _ in STAGES))}
    for row in rows:
        if row["outcome"] != "completed":
            continue
        _add(found[LATENCY], row["intended"], row["ended"])
        for name, begin, end in STAGES:
            since = row["started"] if begin == "fetched" and row["fetched"] is None else row[begin]
            _add(found[name], since, row[end])
    return {name: values for name, values in found.items() if values}


def ecdf(values: Sequence[float], most: int = 300) -> Points:
    """Return the empirical distribution as (value, share of values that do not exceed it), thinned out."""
    ranked = sorted(values)
    total = len(ranked)
    places = range(1, total + 1)
    if total > most:
        places = sorted({max(1, round(total * step / most)) for step in range(most + 1)})  # type: ignore[assignment]
    return [(ranked[place - 1], place / total) for place in places]


def thinned(points: Points, most: int = 1500) -> Points:
    """Return every n-th point, so that at most `most` are left."""
    return points[:: max(1, math.ceil(len(points) / most))]


def grouped(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    """Return the rows by what a column holds; rows without are left out."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row[column]:
            found[str(row[column])].append(row)
    return dict(sorted(found.items()))


def busy_s(rows: Iterable[Row]) -> float:
    """Return the seconds of work that the last attempts of these jobs took."""
    known = [row for row in rows if row["started"] is not None and row["finished"] is not None]
    return float(sum(row["finished"] - row["started"] for row in known))


def _add(into: list[float], begin: float | None, end: float | None) -> None:
    if begin is not None and end is not None:
        into.append(max(0.0, end - begin))
