"""Queue Lab's own Python environment: the folder .venv, made on first use and mended when it is not whole."""

import importlib
import os
import shutil
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Iterable, List, Optional, Set, Tuple

from labkit import words
from labkit.install import packages, pip, python, stamp, wheels
from labkit.install.errors import LabError
from labkit.install.lock import only_one
from labkit.install.say import say
from labkit.install.stamp import BASE, Stamp, Wanted


def prepare(
    groups: Iterable[str] = (),
    *,
    assume_yes: bool = False,
    root: Path = words.ROOT,
    bundle: Optional[Path] = None,
) -> Path:
    """Bring .venv to hold the kit's packages and those of `groups`; return its Python.

    `groups` are names of [project.optional-dependencies]. What is there already is not touched, so a
    second call takes a few milliseconds. `assume_yes` installs a missing system package without asking.
    `bundle`: the folder of a bundle, from which alone pip may take packages. Raises LabError.
    """
    own = Environment(root, wheels.source(bundle, root) if bundle else None)
    wanted = {BASE, *groups}
    if own.has(wanted):
        return own.python
    try:
        with only_one(root / ".lab" / "setup.lock") as keep_open:
            if not own.has(wanted):  # another run may have done it while this one waited
                own.mend(wanted, keep_open, assume_yes=assume_yes)
    except OSError as error:
        raise LabError(f"Queue Lab cannot set itself up: {error}.", _next_step(error, root)) from None
    return own.python


def ensure(groups: Iterable[str], bundle: Optional[Path] = None) -> None:
    """Install the packages of `groups` into the running environment when they are needed for the first time.

    For code inside .venv. In an environment that somebody else made it changes nothing. Raises LabError.
    """
    if Path(sys.prefix).resolve() == words.ROOT / ".venv":
        prepare(groups, bundle=bundle)
        importlib.invalidate_caches()


# Debian and Ubuntu pack these two apart from Python itself.
VENV_PACKAGE = packages.Need(apt="python{}.{}-venv".format(*sys.version_info[:2]), dnf="python3-libs")


class Environment:
    """The folder .venv of a checkout. source: a folder of wheels that stands for the network."""

    def __init__(self, root: Path, source: Optional[Path] = None) -> None:
        self.root = root
        self._source = source
        self.folder = root / ".venv"
        self.python = self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.log = self.folder / "install.log"
        self._stamp = self.folder / "queue-lab.json"
        self._wanted = Wanted(root)

    def has(self, groups: Set[str]) -> bool:
        """Tell whether the environment is whole and holds `groups` as they are listed today."""
        for group in groups:
            if group not in self._wanted.groups:
                raise LabError(f"pyproject.toml has no group {group!r}.", "Update your copy: git pull")
        current = self._valid()
        if current is None or not current.finished:
            return False
        return groups | current.digests.keys() <= {
            group for group, digest in current.digests.items() if digest == self._digest(group)
        }

    def mend(self, groups: Set[str], keep_open: Tuple[int, ...], *, assume_yes: bool) -> None:
        """Install what is missing, into a new environment if the present one is not whole."""
        started = time.monotonic()
        current = self._usable()
        if current is None:
            require_venv(assume_yes=assume_yes)
            say("Setting up Queue Lab's own Python in .venv (once, about a minute) ...")
            current = self._create(keep_open)
        else:
            say("Updating Queue Lab's Python packages in .venv ...")
        chosen = {group for group in groups | current.digests.keys() if group in self._wanted.groups}
        self._install(current, chosen, keep_open)
        say(f"Ready after {time.monotonic() - started:.0f} s.")

    def _install(self, current: Stamp, groups: Set[str], keep_open: Tuple[int, ...]) -> None:
        stamp.write(self._stamp, current._replace(finished=False))
        requirements = [line for group in sorted(groups) for line in self._wanted.groups[group]]
        try:
            if requirements:
                pip.install(
                    self.python, requirements, self._wanted.constraints, self.log, keep_open, self._source
                )
        except LabError:
            if pip.untouched(self.log):  # no network, say: what was installed before still works
                stamp.write(self._stamp, current)
            raise
        digests = {group: self._digest(group) for group in groups}
        stamp.write(self._stamp, current._replace(digests=digests, finished=True))

    def _create(self, keep_open: Tuple[int, ...]) -> Stamp:
        if self.folder.exists():
            shutil.rmtree(str(self.folder))
        self.folder.mkdir()
        stamp.write(self._stamp, Stamp(str(self.folder), "", {}, finished=False))
        pip.make_venv(base_python(), self.folder, self.log, keep_open)
        return self._fresh_stamp()

    def _usable(self) -> Optional[Stamp]:
        """Return the stamp of an environment that pip may go on with; None: make a new one."""
        if not self._stamp.exists():  # made by hand, not by us
            return self._fresh_stamp() if pip.works(self.python) else None
        current = self._valid()
        if current is None or not (current.finished or pip.untouched(self.log)):
            return None
        return current

    def _valid(self) -> Optional[Stamp]:
        """Return the stamp if the environment is still where it was made and its Python still exists."""
        current = stamp.read(self._stamp)
        if current is None or current.folder != str(self.folder) or not current.interpreter:
            return None
        return current if current.interpreter == self._interpreter() else None

    def _interpreter(self) -> str:
        real = self.python.resolve()
        return str(real) if real.is_file() else ""

    def _fresh_stamp(self) -> Stamp:
        return Stamp(str(self.folder), self._interpreter(), {}, finished=True)

    def _digest(self, group: str) -> str:
        return self._wanted.digest(group) if group in self._wanted.groups else ""


def base_python() -> str:
    """Return the Python under the running one: an environment must not be made from itself."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def missing_parts() -> List[str]:
    """Return which of `venv` and `ensurepip` this Python lacks."""
    return [name for name in ("venv", "ensurepip") if find_spec(name) is None]


def require_venv(*, assume_yes: bool) -> None:
    """Make sure that this Python can make environments. Raises LabError."""
    reason = f"{python.found()} cannot make environments: it has no {' and no '.join(missing_parts())}."
    if missing_parts() and sys.base_prefix == "/usr":
        packages.ensure(VENV_PACKAGE, reason, assume_yes=assume_yes)
        importlib.invalidate_caches()
    if missing_parts():
        raise LabError(reason, f"Use a Python that has both: {python.get_command()}")


def _next_step(error: OSError, root: Path) -> str:
    if isinstance(error, PermissionError):
        return f'Make the folder yours: sudo chown -R "$(id -u)" {words.quote(str(root))}'
    return "Mend that (is the disk full?), then run the same command again."
