"""A full screen that is drawn anew each second; q or Ctrl-C ends it."""

from __future__ import annotations

import contextlib
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live

from labkit.cli.context import Lab
from labkit.monitor.live import LiveFeed
from labkit.monitor.picture import History
from labkit.views.monitor import Surround, monitor_line, monitor_page

QUIT = ("q", "Q", "\x04", "")
"""Keys that end it: q, Ctrl-D, and a keyboard that is gone."""

Draw = Callable[[RenderableType], None]
Pause = Callable[[float], bool]


@contextmanager
def full_screen(console: Console) -> Iterator[tuple[Draw, Pause]]:
    """Take the terminal; give what draws a page, and what waits so many seconds and tells whether to end.

    The terminal is as before afterwards, however the block ends. Ctrl-C ends the block quietly.
    """
    with (
        contextlib.suppress(KeyboardInterrupt),
        _keys() as pause,
        Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live,
    ):
        yield lambda page: live.update(page, refresh=True), pause


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
        if lab.out.is_interactive:
            live = Live(console=lab.out, screen=True, auto_refresh=False, vertical_overflow="crop")
            stack.enter_context(live)

        def draw() -> None:
            history = History()
            while not end.is_set():
                picture = history.add(feed.next())
                if lab.out.is_interactive:
                    surround = Surround(title, "Ctrl-C: stop", lab.here, tuple(filter(None, progress)))
                    live.update(monitor_page(picture, *lab.out.size, surround), refresh=True)
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
