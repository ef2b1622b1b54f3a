"""The form of Queue Lab's command that works on this machine; every message uses it.

Standard library only, and it parses on Python 3.6.
"""

import os
import shlex
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def command(words: str = "") -> str:
    """Return what to type for `words`: `command("up --workers 3")` -> `python3 labctl.py up --workers 3`."""
    return f"{door()} {words}".rstrip()


def door() -> str:
    r"""Return what to type before a command: `./labctl`, `python3 labctl.py` or `.\labctl`.

    labctl.py tells it to its child in LAB_DOOR; without that, labctl.py itself is the door.
    """
    return os.environ.get("LAB_DOOR") or script("labctl.py")


def shell_door(typed: str) -> str:
    """Return the door for someone who came through the script `labctl`, called by the name `typed`."""
    if os.name != "nt" and "/" not in typed:
        return f"sh {quote(typed)}"
    return quote(typed)


def script(name: str) -> str:
    """Return what to type in the current folder to run the script `name` of the repository's root."""
    return f"{python()} {near(name)}"


def near(name: str) -> str:
    """Return the path of the root's file `name` as it is typed in the current folder."""
    try:
        return quote(str((ROOT / name).relative_to(Path.cwd())))
    except (ValueError, FileNotFoundError):  # elsewhere, or in a folder that is gone
        return quote(str(ROOT / name))


def python() -> str:
    """Return the name of the running Python, or its whole path if that name leads to another one."""
    if os.name == "nt":
        return "py" if shutil.which("py") else "python"
    running = sys.executable or "python3"
    name = Path(running).name
    found = shutil.which(name)
    same = found is not None and os.path.realpath(found) == os.path.realpath(running)
    return name if same else quote(running)


def quote(text: str) -> str:
    """Return `text` as one word of this machine's shell."""
    if os.name == "nt":
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)
