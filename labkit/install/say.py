"""Words to the person who waits. They go to standard error, so that standard output stays clean."""

import os
import sys

from labkit.install.errors import LabError


def say(text: str) -> None:
    """Write one line to standard error; what its encoding cannot show becomes `?`."""
    encoding = sys.stderr.encoding or "ascii"
    sys.stderr.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stderr.flush()


def report(error: LabError) -> None:
    """Say what happened and what to do next."""
    say(f"Error: {error.message}")
    say(error.next_step)


def ask(question: str) -> bool:
    """Ask a yes-or-no question, default yes. With nobody at the keyboard the answer is no."""
    if os.environ.get("CI") or sys.stdin is None or not sys.stdin.isatty():
        return False
    sys.stderr.write(f"{question} [Y/n] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    return answer.strip().lower() in ("", "y", "yes") and answer != ""
