"""A full screen that is drawn anew each second; q or Ctrl-C ends it."""

from __future__ import annotations

import contextlib
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from labkit.cli.context import Lab
from labkit.monitor.live import LiveFeed
from labkit.monitor.picture import History
from labkit.views.monitor import Surround, monitor_line, monitor_page

QUIT = ("q", "Q", "\x04", "")
"""Keys that end it: q, Ctrl-D, and a keyboard that is gone."""

_HOME, _TO_END_OF_LINE, _TO_END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"

Draw = Callable[[Group], None]
Pause = Callable[[float], bool]


class Screen:
    """A terminal's second screen. Lines that have not changed, most of them, are not rendered again."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rendered: dict[tuple[object, ...], str] = {}

    def draw(self, page: Group) -> None:
        """Show a page of lines, each at most as wide as the terminal, and no more than it has."""
        before, self._rendered = self._rendered, {}
        lines = []
        for line in page.renderables:
            key = (str(line), tuple(line.spans), line.style) if isinstance(line, Text) else (line,)
            self._rendered[key] = before.get(key) or self._render(line)
            lines.append(self._rendered[key])
        file = self._console.file
        file.write(_HOME + f"{_TO_END_OF_LINE}\r\n".join(lines) + _TO_END_OF_SCREEN)
        file.flush()

    def _render(self, line: RenderableType) -> str:
        with self._console.capture() as capture:
            self._console.print(line, end="", no_wrap=True, overflow="crop", soft_wrap=False)
        return capture.get().rstrip("\n")


@contextmanager
def second_screen(console: Console) -> Iterator[Draw]:
    """Take the terminal; give what draws a page. The terminal is as before when the block ends."""
    if console.legacy_windows:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            yield lambda page: live.update(page, refresh=True)
        return
    console.set_alt_screen(enable=True)
    console.show_cursor(show=False)
    try:
        yield Screen(console).draw
    finally:
        console.set_alt_screen(enable=False)
        console.show_cursor(show=True)


@contextmanager
def full_screen(console: Console) -> Iterator[tuple[Draw, Pause]]:
    """Take the terminal and the keyboard; give what draws a page, and what waits and tells whether to end.

    Ctrl-C ends the block quietly.
    """
    with contextlib.suppress(KeyboardInterrupt), _keys() as pause, second_screen(console) as draw:
        yield draw, pause


@contextmanager
def watching(lab: Lab, title: str, interval_s: float = 1.0) -> Iterator[Callable[[str], None]]:
    """Show the monitor while the block runs; give the function that takes a line of progress.

    Without a terminal each second is a plain line on standard error.
    """
    progress = [""]
    end = threading.Event()

    def tell(line: str) -> None:
        progress[0] = line

    with LiveFeed(lab.running(), lab.open_access) as feed, contextlib.ExitStack() as stack:
        show = stack.enter_context(second_screen(lab.out)) if lab.out.is_interactive else None

        def draw() -> None:
            history = History()
            while not end.is_set():
                picture = history.add(feed.next())
                if show:
                    surround = Surround(title, "Ctrl-C: stop", lab.here, tuple(filter(None, progress)))
                    show(monitor_page(picture, *lab.out.size, surround))
                else:
                    lab.err.print(monitor_line(picture), progress[0], soft_wrap=True, markup=False)
                end.wait(interval_s)

        thread = threading.Thread(target=draw, name="monitor", daemon=True)
        thread.start()
        try:
            yield tell
        finally:
            end.set()
            thread.join()


@contextmanager
def _keys() -> Iterator[Pause]:
    """Read single keys; where that is not possible, only wait."""
    try:
        import termios  # noqa: PLC0415 - absent on Windows
        import tty  # noqa: PLC0415 - same

        before = termios.tcgetattr(sys.stdin)
    except (ImportError, OSError, ValueError, termios.error):
        yield wait
        return
    try:
        tty.setcbreak(sys.stdin)
        yield _key_within
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def wait(seconds: float) -> bool:
    """Wait; nothing ends it."""
    time.sleep(max(0.0, seconds))
    return False


def _key_within(seconds: float) -> bool:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        readable, _, _ = select.select([sys.stdin], [], [], left)
        if readable and sys.stdin.read(1) in QUIT:
            return True
    return False
