"""The screen of `monitor`: a pure function from a picture and a size to lines; nothing in it wraps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from labkit.monitor.advice import Advice, Level
from labkit.monitor.picture import Picture
from labkit.stack import WORKERS
from labkit.views.lines import fit
from labkit.views.monitor_parts import (
    backlog,
    dead_letters,
    latency,
    marks,
    queues,
    services,
    worker_lines,
)
from labkit.views.style import FAINT
from services.common.topology import WORK_QUEUES

HEALTHY = ("✔ healthy", "bold green")
STATES = {Level.TROUBLE: ("✖ trouble", "bold red"), Level.LOOK: ("▲ look", "bold yellow")}
SIGNS = {Level.TROUBLE: ("✖", "red"), Level.LOOK: ("▲", "yellow")}

SMALLEST = 40
JUST_S = 1.5
"""A mark is said once on a plain line: that of its second."""
FEWEST_WORKERS = 2

Spoken = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Surround:
    """What stands around the numbers.

    title: whose stack it is. hint: at the right end of the first line. spoken: writes a command as it is
    typed here. extra: lines of whoever shows the screen, such as the progress of a run.
    """

    title: str
    hint: str = ""
    spoken: Spoken = lambda words: words
    extra: Sequence[str] = ()


def monitor_page(picture: Picture, width: int, height: int, surround: Surround) -> Group:
    """Return the screen, at most `width` x `height`: what matters first, and less of the rest if need be."""
    width = max(width, SMALLEST)
    lines = [
        _headline(picture, width, surround),
        *(Text(fit(line, width), style="bold") for line in surround.extra),
    ]
    body = [queues(picture, width), [backlog(picture, width)]]
    rest = [
        [dead_letters(picture, width)],
        marks(picture, width),
        latency(picture, width),
        [services(picture, width)],
    ]
    workers = worker_lines(picture, width)
    room = height - len(lines) - sum(map(len, body))
    advice = _advice(picture.advice, width, surround, most=max(1, min(3, room - FEWEST_WORKERS - 2)))
    room -= len(advice)
    least = min(len(workers), FEWEST_WORKERS + 2)
    kept = _that_fit(rest, room - least)
    shown = _cut(workers, room - sum(map(len, kept)))
    sections = [advice, [line for part in body for line in part], shown, *_in_reading_order(rest, kept)]
    return Group(*_spaced(lines, sections, height))


def _headline(picture: Picture, width: int, surround: Surround) -> Text:
    word, style = _state(picture.advice)
    clock = f"{datetime.fromtimestamp(picture.sample.at):%H:%M:%S}"  # noqa: DTZ006  (the reader's own clock)
    left = f"  {clock}  {surround.title}"
    line = Text(word, style=style, no_wrap=True, end="")
    line.append(fit(left, width - len(word) - len(surround.hint)), "not bold default")
    return line.append(surround.hint, f"not bold default {FAINT}")


def _state(advice: Sequence[Advice]) -> tuple[str, str]:
    return STATES[advice[0].level] if advice else HEALTHY


def _advice(advice: Sequence[Advice], width: int, surround: Surround, most: int) -> list[Text]:
    if not advice:
        return []
    shown = advice if len(advice) <= most else advice[: max(1, most - 1)]
    lines = [_one(entry, width, surround) for entry in shown]
    if len(shown) < len(advice) and len(lines) < most:
        lines.append(Text(f"  and {len(advice) - len(shown)} more", style=FAINT, end=""))
    return lines


def _one(entry: Advice, width: int, surround: Surround) -> Text:
    sign, style = SIGNS[entry.level]
    line = Text(f"{sign} ", style=style, no_wrap=True, end="")
    forms = [f"{entry.text} → {form}" for form in (surround.spoken(entry.command), entry.command) if form]
    fitting = (form for form in forms if cell_len(form) <= width - 2)
    return line.append(fit(next(fitting, entry.text), width - 2))


def _that_fit(parts: Sequence[list[Text]], room: int) -> list[list[Text]]:
    kept = []
    for part in parts:
        if part and len(part) <= room:
            kept.append(part)
            room -= len(part)
    return kept


def _cut(workers: list[Text], room: int) -> list[Text]:
    """Keep as many workers as there is room for; the last line says how many more there are."""
    if len(workers) <= room or len(workers) <= FEWEST_WORKERS + 1:
        return workers
    kept = max(FEWEST_WORKERS, room - 2)
    hidden = len(workers) - 1 - kept
    return [*workers[: kept + 1], Text(f"and {hidden} more", style=FAINT, end="")]


def _in_reading_order(rest: Sequence[list[Text]], kept: Sequence[list[Text]]) -> list[list[Text]]:
    dead, marked, stages, running = ([part] if part in kept else [] for part in rest)
    together = [line for part in (*running, *dead) for line in part]
    return [together, *stages, *marked]


def _spaced(lines: list[Text], sections: Sequence[list[Text]], height: int) -> list[Text]:
    """Put sections below each other, with blank lines between them as far as there is room."""
    filled = [section for section in sections if section]
    spare = height - len(lines) - sum(map(len, filled))
    for number, section in enumerate(filled):
        if number and number <= spare:
            lines.append(Text("", end=""))
        lines += section
    for line in lines:
        line.end = "\n"
    return lines[:height]


def monitor_line(picture: Picture) -> str:
    """Return the picture as one plain line, for a log or a pipe."""
    sample = picture.sample
    word, _ = _state(picture.advice)
    busy = [
        f"{queue.name} {queue.ready} ready, {queue.consumers} consumers"
        for queue in sample.queues
        if queue.name in WORK_QUEUES and (queue.ready or queue.unacked)
    ]
    workers = [entry for entry in sample.instances if entry.service in WORKERS]
    running = sum(entry.state == "running" for entry in workers)
    parts = [
        f"{datetime.fromtimestamp(sample.at):%H:%M:%S} {word.split()[-1]}",  # noqa: DTZ006
        backlog(picture, 200).plain.rstrip(),
        f"workers {running}/{len(workers)}",
        *busy,
        *(entry.text for entry in picture.advice[:2]),
        *(f"{mark.kind}: {mark.text}" for mark in picture.marks if 0 <= sample.at - mark.at <= JUST_S),
    ]
    line = " | ".join(parts)
    return fit(line, cell_len(line))
