"""Installs system packages with apt, dnf or brew: asks first, and says the exact command when it may not."""

import os
import shutil
import subprocess
import sys
import tempfile
from typing import Callable, List, NamedTuple, Optional

from labkit import words
from labkit.install.errors import LabError
from labkit.install.say import ask as ask_person
from labkit.install.say import say

LAST_LINES = 12  # how much of a failed command is shown

Ask = Callable[[str], bool]


class Need(NamedTuple):
    """The name of one package in each package manager; empty where there is none."""

    apt: str = ""
    dnf: str = ""
    brew: str = ""


class Manager(NamedTuple):
    """A package manager of this machine and what the present user may do with it."""

    name: str  # apt, dnf or brew: a field of Need
    steps: List[List[str]]  # commands; the last one takes the package's name
    rights: str  # what goes before a command: "sudo", "su" or ""


STEPS = {
    "apt": [["apt-get", "update"], ["apt-get", "install", "-y"]],
    "dnf": [["dnf", "install", "-y"]],
    "brew": [["brew", "install"]],
}


def detect() -> Optional[Manager]:
    """Return this machine's package manager, if it is one that the kit knows."""
    if sys.platform == "win32":
        return None
    names = ["brew"] if sys.platform == "darwin" else ["apt", "dnf", "brew"]
    for name in names:
        if shutil.which(STEPS[name][0][0]):
            return Manager(name, STEPS[name], _rights(name))
    return None


def command(need: Need) -> str:
    """Return the command that a person types here to install the package, or "" if there is none."""
    manager = detect()
    name = getattr(need, manager.name) if manager else ""
    return _shown(manager, name) if manager and name else ""


def ensure(need: Need, reason: str, *, assume_yes: bool, ask: Ask = ask_person) -> None:
    """Install the package, after asking unless `assume_yes`. `reason` is the sentence that says why.

    Raises LabError, with the exact command as the next step, when it may not or did not work.
    """
    manager = detect()
    name = getattr(need, manager.name) if manager else ""
    if manager is None or not name:
        raise LabError(reason, f"Install it with this system's own tools: {need.apt or need.brew}.")
    shown = _shown(manager, name)
    if manager.rights == "su":
        raise LabError(reason, f"You may not install packages here. An administrator must run: {shown}")
    if not assume_yes and not ask(f"{reason} Install it now with: {shown} ?"):
        raise LabError(reason, f"Run: {shown}")
    say(f"Installing {name} (a minute or two) ...")
    if not _install(manager, name):
        raise LabError(f"{name} could not be installed; the reason stands above.", f"Try it by hand: {shown}")


def _install(manager: Manager, name: str) -> bool:
    """Run the manager's commands, of which only the last one must succeed; show its words if it does not."""
    status = 0
    with tempfile.TemporaryFile() as log:
        for step in _commands(manager, name):
            try:
                status = subprocess.call(step, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            except OSError as error:
                say(str(error))
                status = 1
        if status != 0:
            log.seek(0)
            for line in log.read().decode(errors="replace").splitlines()[-LAST_LINES:]:
                say(f"  {line}")
    return status == 0


def _commands(manager: Manager, name: str) -> List[List[str]]:
    prefix = []  # type: List[str]
    if manager.rights == "sudo":
        # Without a terminal sudo must fail at once instead of waiting for a password.
        prefix = ["sudo"] if sys.stdin is not None and sys.stdin.isatty() else ["sudo", "-n"]
    if manager.name == "apt":  # no questions; wait for the updater that holds the lock on a new machine
        prefix += ["env", "DEBIAN_FRONTEND=noninteractive"]
    steps = [prefix + step for step in manager.steps]
    if manager.name == "apt":
        steps[-1] += ["-o", "DPkg::Lock::Timeout=300"]
    steps[-1].append(name)
    return steps


def _shown(manager: Manager, name: str) -> str:
    steps = [" ".join(step) for step in manager.steps]
    steps[-1] += f" {name}"
    if manager.rights == "su":
        return f"su -c {words.quote(' && '.join(steps))}"
    return " && ".join(f"{manager.rights} {step}".strip() for step in steps)


def _rights(name: str) -> str:
    if name == "brew" or os.geteuid() == 0:
        return ""
    return "sudo" if shutil.which("sudo") else "su"
