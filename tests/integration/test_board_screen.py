"""The board in a terminal: it stays, takes codes, and remembers them."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labkit.labs.codes import Code, encode
from labkit.project import REPOSITORY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")

PROGRAM = """
import sys
from pathlib import Path
from labkit.cli import app
from labkit.cli.context import Lab
from labkit.project import Project
from labkit.runtime.fake import FakeRuntime

runtime = FakeRuntime(Project("board", Path(sys.argv.pop(1))))
app.app(obj=Lab(open_runtime=lambda _: runtime))
"""
ANNA = encode(Code("Anna", 3, (True, True), (0.0, 1.0, 25.0), 9))


class Terminal:
    """A program in a terminal, and what it has written."""

    def __init__(self, keyboard: int) -> None:
        self._keyboard = keyboard
        self.shown = ""

    def type(self, line: str) -> None:
        """Type a line, and forget what was shown before."""
        self.shown = ""
        os.write(self._keyboard, f"{line}\n".encode())

    def until(self, text: str, within_s: float = 20) -> None:
        """Wait until the program has written a text."""
        deadline = time.monotonic() + within_s
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if select.select([self._keyboard], [], [], 0.1)[0]:
                self.shown += os.read(self._keyboard, 65536).decode(errors="replace")


@contextmanager
def board(root: Path, *arguments: str) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    """Run `class board` in a terminal."""
    keyboard, screen = os.openpty()
    command = [sys.executable, "-c", PROGRAM, str(root), "class", "board", *arguments]
    environment = {**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdin=screen, stdout=screen, stderr=screen, env=environment
    )
    os.close(screen)
    try:
        yield Terminal(keyboard), process
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)


def test_codes_that_are_pasted_stay(tmp_path: Path) -> None:
    """A pasted code is on the board at once, and still there when the board is opened again."""
    with board(tmp_path) as (terminal, process):
        terminal.until("No code yet")
        terminal.type(f"Anna: {ANNA}")
        terminal.until("1 student")
        terminal.type("03")
        terminal.until("1 prediction")
        assert "True:" not in terminal.shown
        terminal.type("a")
        terminal.until("True: 0")
        terminal.type("q")
        assert process.wait(20) == 0
    with board(tmp_path) as (terminal, _):
        terminal.until("1 student")
    with board(tmp_path, "--forget", "--lab", "03") as (terminal, _):
        terminal.until("No predictions yet.")
