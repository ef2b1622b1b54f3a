"""Experiments: the list, one before it runs, its progress, and expected beside measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labkit.cores import is_busy
from labkit.experiments import measures
from labkit.experiments.calibrate import Calibration
from labkit.experiments.declaration import Expect, Experiment, Part
from labkit.experiments.expectation import Line, Range
from labkit.experiments.result import Ran, Result
from labkit.experiments.runner import Now
from labkit.views.demo import demo_progress
from labkit.views.style import COMMAND, FAINT, house_table
from labkit.words import command

MARKS = {"ok": "green", "off": "red", "unknown": "yellow"}
OVERALL = {
    True: ("As expected.", "bold green"),
    False: ("Not as expected: look at the lines that are off.", "bold red"),
    None: ("Too little is known to say.", "bold yellow"),
}
_TEN, _HUNDRED = 10, 100


def listed(experiments: Sequence[Experiment]) -> RenderableType:
    """Return one row an experiment: name, how long it takes, question."""
    table = house_table("experiment", "takes", "asks")
    for one in experiments:
        table.add_row(Text(one.name, style=COMMAND, no_wrap=True), takes(one), one.title)
    return table


def takes(experiment: Experiment) -> str:
    """Return about how long an experiment runs: 40 s, 2 min."""
    return takes_words(experiment.takes_s)


def takes_words(seconds: int) -> str:
    """Write a rough duration: below 90 s in tens of seconds, else in whole minutes."""
    if seconds < 90:  # noqa: PLR2004  (a minute and a half)
        return f"{max(_TEN, round(seconds / _TEN) * _TEN)} s"
    return f"{round(seconds / 60)} min"


def asked(experiment: Experiment) -> RenderableType:
    """Return the question and why it matters."""
    return Group(
        Text(experiment.title, style="bold"),
        Text(experiment.question),
        Text(experiment.why, style=FAINT),
    )


def declared(experiment: Experiment) -> RenderableType:
    """Return what an experiment is, before it runs: parts, expectations, what to look at."""
    parts: list[RenderableType] = [asked(experiment), Text("")]
    for part in experiment.parts:
        parts += [_part(part), _wanted(part), Text("")]
    return Group(*parts, *afterwards(experiment))


def afterwards(experiment: Experiment) -> Iterator[RenderableType]:
    """Give what to look at, and the questions for the write-up."""
    yield Text("Look at", style="bold")
    yield _points(experiment.look_at)
    yield Text("Questions", style="bold")
    yield _points(experiment.questions)


def progress(now: Now) -> RenderableType:
    """Return how far an experiment is."""
    title = f"run {now.number} of {now.of}" + (f": {now.title}" if now.title else "")
    if now.progress is None:
        return Group(Text(title, style="bold"), Text("making the stack ready …", style=FAINT))
    return Group(Text(title, style="bold"), demo_progress(now.progress))


def started(now: Now) -> str:
    """Return the line that says which run begins."""
    return f"run {now.number} of {now.of}" + (f": {now.title}" if now.title else "")


def outcome(result: Result, folder: Path) -> RenderableType:
    """Return expected beside measured, with a verdict for each line and one for all."""
    words, style = OVERALL[result.verdict]
    if result.state != "finished":
        words, style = f"It was {result.state}; this is how far it came.", "bold yellow"
    parts: list[RenderableType] = [Text(words, style=style), *_tables(result.lines)]
    parts += [Text(text, style="yellow") for text in _refused(result.runs)]
    parts += [Text(text, style="red") for text in _troubles(result.runs)]
    parts += [Text(text, style="yellow") for text in _busy(result)]
    if any(len(line.repeats) > 1 for line in result.lines):
        parts.append(Text("Measured is the median of the repeats.", style=FAINT))
    parts.append(Text.assemble("Written to ", (str(folder), COMMAND)))
    if result.runs:
        parts.append(
            Text.assemble("Pictures of a run: ", (command(f"report {result.runs[-1].run}"), COMMAND))
        )
    return Group(*parts)


def calibrated(found: Calibration) -> RenderableType:
    """Return what this machine can do."""
    table = house_table("operation", "on", "service time", right=("service time",))
    for key, seconds in sorted(found.services.items(), key=lambda entry: entry[1]):
        name, _, operations = key.partition("|")
        table.add_row(operations, name, f"{1000 * seconds:.0f} ms")
    speed = house_table("processes", "times as fast as one", right=("processes", "times as fast as one"))
    for count, ratio in sorted(found.speedup.items()):
        speed.add_row(str(count), f"{ratio:.2f}")
    return Group(
        Text(
            f"This process may use {found.allowed:g} cores; together they are worth {found.cores:.1f}.",
            style="bold",
        ),
        speed,
        table,
    )


def range_text(wanted: Range | None, unit: str) -> str:
    """Write what is expected: 30 ± 3 s, 25 to 26 s, at most 30 s."""
    if wanted is None:
        return "-"
    if wanted.target is not None:
        exact = wanted.low == wanted.high
        slack = "" if exact else f" ± {figure(wanted.target - (wanted.low or 0.0))}"
        return with_unit(f"{figure(wanted.target)}{slack}", unit)
    if wanted.low is None:
        return f"at most {with_unit(figure(wanted.high), unit)}"
    if wanted.high is None:
        return f"at least {with_unit(figure(wanted.low), unit)}"
    return with_unit(f"{figure(wanted.low)} to {figure(wanted.high)}", unit)


def with_unit(text: str, unit: str) -> str:
    """Write a number with its unit: 1 job, 2 jobs."""
    return f"{text} {unit.removesuffix('s') if text == '1' and len(unit) > 1 else unit}".rstrip()


def figure(number: float | None) -> str:
    """Write a number with three figures, or all that it has before the point: 30, 6.12, 0.6, 1104."""
    if number is None:
        return "-"
    decimals = 0 if abs(number) >= _HUNDRED else 1 if abs(number) >= _TEN else 2
    text = f"{number:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def _tables(lines: Sequence[Line]) -> Iterator[RenderableType]:
    for part, of_part in groupby(lines, key=lambda line: line.part):
        if part:
            yield Text(f"\n{part}", style="bold")
        shown = list(of_part)
        yield _table(shown)
        yield from (Text(words, style=FAINT) for words in _reasons(shown))


def _table(lines: Sequence[Line]) -> Table:
    swept = any(line.point for line in lines)
    columns = (*(("at",) if swept else ()), "measure", "expected", "measured", "")
    table = house_table(*columns, right=("expected", "measured"))
    before = ""
    for line in lines:
        first = (line.point if line.point != before else "",) if swept else ()
        before = line.point
        measured = "-" if line.measured is None else with_unit(figure(line.measured), line.unit)
        cells = (measures.title(line.measure), range_text(line.expected, line.unit), measured)
        table.add_row(*first, *cells, _verdict(line))
    return table


def _verdict(line: Line) -> Text:
    return Text(line.verdict, style=MARKS[line.verdict]) if line.verdict else Text("")


def _reasons(lines: Sequence[Line]) -> Iterator[str]:
    """Give each reason why something is unknown, once, with the measures that it is about."""
    for why in dict.fromkeys(line.why for line in lines if line.why):
        about = dict.fromkeys(measures.title(line.measure) for line in lines if line.why == why)
        yield f"{', '.join(about)}: {why}"


def _part(part: Part) -> Text:
    words = [part.name] if part.name else []
    if part.sweep:
        words.append(f"{part.sweep.name} = {', '.join(map(str, part.sweep.values))}")
    if part.repeats > 1:
        words.append(f"{part.repeats} repeats")
    return Text(" · ".join(words) or "one run", style="bold")


def _wanted(part: Part) -> Table:
    table = house_table("measure", "expected", "within", "at")
    for line in part.expect:
        within = f"{line.tolerance}" if line.tolerance else ""
        table.add_row(measures.title(line.measure), formula(line), within, ", ".join(map(str, line.at)))
    for name in part.observe:
        table.add_row(measures.title(name), "-", "", "")
    return table


def formula(line: Expect) -> str:
    """Write an expectation as it is declared."""
    texts = [one if isinstance(one, str) else figure(one) for one in line.formulas]
    if line.at_least is not None:
        return f"at least {texts[0]}"
    return f"at most {texts[0]}" if line.at_most is not None else " to ".join(texts)


def _refused(runs: Sequence[Ran]) -> Iterator[str]:
    for ran in runs:
        if ran.refusals:
            said = ", ".join(f"{count} x {word}" for word, count in ran.refusals.items())
            yield f"{ran.point or ran.part or ran.run}: the API did not say yes: {said}"


def _troubles(runs: Sequence[Ran]) -> Iterator[str]:
    for ran in runs:
        for words in ran.trouble:
            yield f"{ran.point or ran.part or ran.run}: {words}"


def _busy(result: Result) -> Iterator[str]:
    """Say so when other programs wanted the cores: durations are longer then, and that is not the queue."""
    if result.programs is not None and is_busy(result.programs, result.cores):
        yield (
            f"This machine was busy: {result.programs:.1f} programs wanted its {result.cores:g} cores. "
            "Durations are longer then, and computing suffers most."
        )


def _points(sentences: Sequence[str]) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    for sentence in sentences:
        table.add_row("-", Text(sentence))
    return table
