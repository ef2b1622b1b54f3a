"""Is this Python new enough, and how to get one that is."""

import shutil
import subprocess
import sys
from typing import Optional, Tuple

MINIMUM = (3, 11)
NEEDED = "Python {}.{} or newer".format(*MINIMUM)

GET_UBUNTU = "sudo apt-get update && sudo apt-get install -y python3.11 python3.11-venv"
GET_MACOS = "brew install python@3.12"
GET_WINDOWS = "winget install --exact --id Python.Python.3.12"

ADVICE = """\
Queue Lab needs {needed}. This is {found}.
{here}
Install a newer Python and start Queue Lab with it:

  Ubuntu 22.04   {ubuntu}
                 python3.11 {script}
  macOS          {macos}
                 python3.12 {script}
  Windows        {windows}
                 py -3.12 {script}
"""


def too_old(version: Tuple[int, ...] = tuple(sys.version_info[:2])) -> bool:
    """Tell whether `version` (major, minor) is too old for Queue Lab."""
    return version < MINIMUM


def found() -> str:
    """Return the running Python's version and path, for people."""
    return "Python {}.{}.{} ({})".format(*sys.version_info[:3], sys.executable or "no path")


def get_command() -> str:
    """Return the command that installs a newer Python on this system."""
    if sys.platform == "darwin":
        return GET_MACOS
    if sys.platform == "win32":
        return GET_WINDOWS
    return GET_UBUNTU


def newer() -> Optional[str]:
    """Return the name of a Python on this machine that is new enough, if there is one: `python3.12`."""
    for minor in range(19, MINIMUM[1] - 1, -1):
        name = f"python3.{minor}"
        if shutil.which(name) and _runs(name):
            return name
    return None


def advice(script: str) -> str:
    """Return the page for someone whose Python is too old; `script` is what they wanted to run."""
    other = newer()
    here = f"\nA newer one is already on this machine. Run:\n\n  {other} {script}\n" if other else ""
    return ADVICE.format(
        needed=NEEDED,
        found=found(),
        here=here,
        script=script,
        ubuntu=GET_UBUNTU,
        macos=GET_MACOS,
        windows=GET_WINDOWS,
    )


def _runs(name: str) -> bool:
    """Tell whether that Python starts: a version manager leaves names on PATH that lead nowhere."""
    command = [name, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    try:
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10) == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
