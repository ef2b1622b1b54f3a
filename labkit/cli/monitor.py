"""monitor."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer
from pydantic_core import to_json
from rich.console import Group

from labkit.cli.context import Lab
from labkit.cli.options import MEASURE, AsJson, examples
from labkit.cli.screen import Pause, full_screen, wait
from labkit.errors import BadValue
from labkit.monitor.frames import Frame, read_frames
from labkit.monitor.live import LiveFeed
from labkit.monitor.performance import Figure, Performance
from labkit.monitor.picture import History, Picture
from labkit.views.monitor import Surround, monitor_line, monitor_page
from labkit.views.performance import performance_page

app = typer.Typer()

HEARD_S = 2.0
HOLD_S = 3600.0
RATES_S = 1.5
"""`--once` looks so long: a rate is the difference between two looks."""
TALL = 200
"""Lines of a page that is printed once: nothing is left out."""

Frames = Callable[[Pause], Iterator[Frame]]
"""Gives frame after frame, pausing in between; ends when the pause says so."""


@app.command(
    rich_help_panel=MEASURE,
    epilog=examples(
        "monitor", "monitor --once", "monitor --record class.jsonl", "monitor --replay class.jsonl --speed 10"
    ),
)
def monitor(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 1.0,
    performance: Annotated[
        bool, typer.Option("--performance", help="Show current, mean, median, min, max, stdev instead.")
    ] = False,
    window: Annotated[float, typer.Option(min=2, help="Seconds that --performance looks back.")] = 60.0,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep all that is seen, as JSON lines.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Show what was recorded instead of a stack.")
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="How fast to replay.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Watch queues, workers, dead letters and latency live.

    Without a terminal it prints a line each second. With --json it prints one object each second.
    """
    lab = Lab.of(ctx)
    view = _View(lab, Performance(window) if performance else None, window)
    with contextlib.ExitStack() as stack:
        if replay is not None:
            view.title = f"recording {replay.name}"
            frames = _replayed(read_frames(replay), speed, hold=lab.out.is_interactive and not once)
        else:
            view.title = f"project {lab.runtime.project.name}"
            feed = stack.enter_context(LiveFeed(lab.running(), lab.open_access))
            feed.settle(HEARD_S if once else 0.0)
            frames = _live(feed, interval)
        if record is not None:
            frames = _kept(frames, stack.enter_context(_opened(record)))
        if once:
            view.once(frames, as_json=as_json, for_s=None if replay else window if performance else RATES_S)
        elif as_json or not lab.out.is_interactive:
            view.print(frames, as_json=as_json)
        else:
            view.draw(frames)


class _View:
    """Takes in frames and shows what is known after each."""

    title = ""
    hint = ""

    def __init__(self, lab: Lab, performance: Performance | None, window_s: float) -> None:
        self._lab = lab
        self._performance = performance
        self._window_s = window_s
        self._history = History()
        self._figures: tuple[Figure, ...] = ()

    def once(self, frames: Frames, *, as_json: bool, for_s: float | None) -> None:
        """Show the last frame after `for_s` seconds; None: at the end of the frames."""
        begun = time.monotonic()
        for frame in frames(_skip if for_s is None else wait):
            picture = self._take(frame)
            if for_s is not None and time.monotonic() - begun >= for_s:
                break
        if as_json:
            _write(self._json(frame))
        else:
            self._lab.out.print(self._page(picture, self._lab.out.width, TALL))

    def print(self, frames: Frames, *, as_json: bool) -> None:
        """Print each frame as a line, until Ctrl-C."""
        with contextlib.suppress(KeyboardInterrupt):
            for frame in frames(wait):
                picture = self._take(frame)
                _write(self._json(frame) if as_json else monitor_line(picture))

    def draw(self, frames: Frames) -> None:
        """Show the screen until q or Ctrl-C; a recording stays on its last picture."""
        self.hint = "q: quit"
        with full_screen(self._lab.out) as (draw, pause):
            for frame in frames(pause):
                draw(self._page(self._take(frame), *self._lab.out.size))

    def _take(self, frame: Frame) -> Picture:
        picture = self._history.add(frame)
        if self._performance:
            self._figures = self._performance.add(picture)
        return picture

    def _page(self, picture: Picture, width: int, height: int) -> Group:
        if self._performance:
            return performance_page(self._figures, self._window_s, width)
        return monitor_page(picture, width, height, Surround(self.title, self.hint, self._lab.here))

    def _json(self, frame: Frame) -> str:
        return to_json(self._figures).decode() if self._performance else frame.encode()


def _live(feed: LiveFeed, interval_s: float) -> Frames:
    def frames(pause: Pause) -> Iterator[Frame]:
        due = time.monotonic()
        while True:
            yield feed.next()
            due = max(due + interval_s, time.monotonic())
            if pause(due - time.monotonic()):
                return

    return frames


def _replayed(recording: Sequence[Frame], speed: float, *, hold: bool) -> Frames:
    def frames(pause: Pause) -> Iterator[Frame]:
        before = recording[0].sample.at
        for frame in recording:
            if pause(max(0.0, frame.sample.at - before) / speed):
                return
            before = frame.sample.at
            yield frame
        while hold and not pause(HOLD_S):
            pass

    return frames


def _kept(frames: Frames, file: TextIO) -> Frames:
    def kept(pause: Pause) -> Iterator[Frame]:
        for frame in frames(pause):
            file.write(frame.encode() + "\n")
            yield frame

    return kept


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", buffering=1)
    except OSError as error:
        raise BadValue(f"{path} cannot be written: {error.strerror}.", "Choose another file.") from None


def _skip(_: float) -> bool:
    return False


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
