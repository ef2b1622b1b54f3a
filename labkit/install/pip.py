"""Runs pip and venv as their own processes, with their words in a log file."""

import os
import subprocess
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from labkit import words
from labkit.install.errors import LabError

ERROR = "ERROR: "
INSTALLING = "Installing collected packages"  # pip says so after it has fetched everything

LACKING = "Make the bundle again, on a machine like this one, where there is a network."
CAUSES = (
    ("No space left on device", "The disk is full. Free some space, then run the same command again."),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "Is there a proxy? Tell pip its certificate: pip config set global.cert FILE.",
    ),
    ("NewConnectionError", "Check the network (and the proxy), then run the same command again."),
    ("Temporary failure in name resolution", "Check the network, then run the same command again."),
    ("Read timed out", "The network is slow. Run the same command again: it goes on from here."),
    ("Permission denied", "Make the folder writable for you, then run the same command again."),
)


def make_venv(python: str, folder: Path, log: Path, keep_open: Tuple[int, ...]) -> None:
    """Make a virtual environment in `folder`. Raises LabError."""
    if _run([python, "-I", "-m", "venv", str(folder)], log, keep_open) != 0:
        raise LabError(
            f"Python could not make the environment {folder}: {_complaint(log)}",
            f"Delete {words.quote(str(folder))} and run the same command again. The whole log: {log}",
        )
    log.unlink()


def install(
    python: Path,
    requirements: Sequence[str],
    constraints: Optional[Path],
    log: Path,
    keep_open: Tuple[int, ...],
    source: Optional[Path] = None,
) -> None:
    """Install `requirements` with pip, which obeys the user's own settings; only from `source` if given.

    Raises LabError.
    """
    command = [str(python), "-I", "-u", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    pins = ["-c", str(constraints)] if constraints else []
    place = ["--no-index", "--find-links", str(source)] if source else []
    if _run([*command, *place, *pins, *requirements], log, keep_open) != 0:
        raise LabError(
            f"pip could not install the Python packages: {_complaint(log)}",
            f"{LACKING if source else _next_step(log)} The whole log: {log}",
        )


def untouched(log: Path) -> bool:
    """Tell whether the pip that wrote `log` ended before it changed anything."""
    return log.exists() and INSTALLING not in log.read_text(errors="replace")


def works(python: Path) -> bool:
    """Tell whether this Python starts, is new enough and has pip."""
    code = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        status = subprocess.call(
            [str(python), "-I", "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return False
    return status == 0


def _run(command: List[str], log: Path, keep_open: Tuple[int, ...]) -> int:
    # A quiet pip would not say when it starts to change things; --user is impossible in an environment.
    environment = dict(os.environ, PIP_QUIET="0", PIP_USER="0")
    with log.open("wb") as sink:
        return subprocess.call(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=keep_open,
        )


def _complaint(log: Path) -> str:
    """Return the line of the log that tells most: pip's first error, else the last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line[len(ERROR) :] for line in lines if line.startswith(ERROR)]
    return errors[0] if errors else lines[-1] if lines else "it said nothing"


def _next_step(log: Path) -> str:
    text = log.read_text(errors="replace")
    for sign, step in CAUSES:
        if sign in text:
            return step
    return "Read the log, then run the same command again."
