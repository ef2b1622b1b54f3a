"""What labctl.py does: checks Python, makes .venv whole, and becomes `python -m labkit.cli` in it."""

import os
import signal
import subprocess
from pathlib import Path
from typing import List

from labkit import words
from labkit.install import environment, python, wheels
from labkit.install.errors import LabError
from labkit.install.say import report, say

INTERRUPTED = 130  # what a shell answers for a command that Ctrl-C ended


def main(arguments: List[str]) -> int:
    """Become the command; return 1 when the kit could not be set up, 130 after Ctrl-C."""
    typed = os.environ.pop("LAB_SCRIPT", "")
    os.environ["LAB_DOOR"] = words.shell_door(typed) if typed else words.script("labctl.py")
    if python.too_old():
        say(python.advice(words.near("labctl.py")))
        return 1
    try:
        own_python = environment.prepare(
            assume_yes=not {"--yes", "-y"}.isdisjoint(arguments), bundle=wheels.folder_in(arguments)
        )
    except LabError as error:
        report(error)
        return 1
    except KeyboardInterrupt:
        say("Stopped. The next run goes on from here.")
        return INTERRUPTED
    return hand_over(own_python, arguments)


def hand_over(own_python: Path, arguments: List[str]) -> int:
    """Become the command line in the kit's own environment; on Windows, run it and return its exit code."""
    # -P keeps the user's folder off the import path: a file named pika.py there must not win.
    command = [str(own_python), "-P", "-m", "labkit.cli", *arguments]
    os.environ["PYTHONPATH"] = str(words.ROOT)
    os.environ.pop("PYTHONHOME", None)
    if os.name == "nt":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the child
        return subprocess.call(command)
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        say(f"Error: {command[0]} does not start: {error}")
        say("Delete the folder .venv and run the same command again.")
        return 1
