"""Programs of this machine's own packages, and Python's: found, and installed when they are missing."""

import shutil
from typing import Dict, NamedTuple, Optional, Tuple

from labkit.install import environment, packages
from labkit.install.errors import LabError
from labkit.install.rabbitmq import ensure_rabbitmq
from labkit.install.say import ask as ask_person


class Program(NamedTuple):
    """A program that is used as it is packed: what it is called by, and its packages."""

    title: str
    commands: Tuple[str, ...]  # any of them will do
    need: packages.Need


PROGRAMS: Dict[str, Program] = {
    "chromium": Program(
        "Chromium",
        ("chromium", "chromium-browser", "google-chrome"),
        packages.Need(apt="chromium", dnf="chromium", brew="chromium"),
    ),
    "prometheus": Program(
        "Prometheus",
        ("prometheus",),
        packages.Need(apt="prometheus", dnf="golang-github-prometheus", brew="prometheus"),
    ),
}


GROUPS = ("dashboard",)
"""Parts of the stack whose packages are a group of pyproject.toml."""


def find(name: str) -> Optional[str]:
    """Return the path of a program, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS[name].commands)), None)


def ensure_program(name: str, *, assume_yes: bool, ask: packages.Ask = ask_person) -> None:
    """Have a program on this machine: rabbitmq, or one of PROGRAMS or GROUPS; install it if it is missing.

    Asks before it installs, unless `assume_yes`. Raises LabError with the exact command when it may not.
    """
    if name == "rabbitmq":
        ensure_rabbitmq(assume_yes=assume_yes, ask=ask)
        return
    if name in GROUPS:
        environment.ensure({name})
        return
    wanted = PROGRAMS[name]
    if find(name) is None:
        packages.ensure(wanted.need, f"{wanted.title} is not installed.", assume_yes=assume_yes, ask=ask)
    if find(name) is None:
        named = " or ".join(wanted.commands)
        raise LabError(f"{wanted.title} was installed, but {named} was not found.", "Look at your PATH.")
