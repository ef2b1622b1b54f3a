"""What is installed in .venv, and what should be."""

import hashlib
import json
from pathlib import Path
from typing import Dict, NamedTuple, Optional

from labkit.install.errors import LabError

BASE = "base"  # the group of [project].dependencies, which is always installed


class Stamp(NamedTuple):
    """The record that an environment keeps of itself."""

    folder: str  # where it was made: its scripts hold this path, so a moved or copied one is not whole
    interpreter: str  # the real file of the Python under it, which an upgrade of the system can take away
    digests: Dict[str, str]  # installed groups, and the digest of the lists they were installed from
    finished: bool  # False while an installation runs, and after one that was cut off

    def encode(self) -> str:
        """Return the stamp as JSON text."""
        return json.dumps(self._asdict(), indent=1)


def read(path: Path) -> Optional[Stamp]:
    """Return the stamp in `path`, or None if there is none that can be read."""
    try:
        return Stamp(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write(path: Path, stamp: Stamp) -> None:
    """Replace the stamp in `path` in one step, so that a crash leaves the old one or the new one."""
    draft = path.with_suffix(".new")
    draft.write_text(stamp.encode())
    draft.replace(path)


class Wanted:
    """The lists of pyproject.toml and constraints.txt."""

    def __init__(self, root: Path) -> None:
        import tomllib  # noqa: PLC0415 - Python 3.11 has it; this file must load on older ones

        try:
            project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
        except (OSError, ValueError, KeyError) as error:
            raise LabError(
                f"pyproject.toml cannot be read: {error}.", "Put it back: git checkout -- pyproject.toml"
            ) from None
        self.groups = {BASE: project["dependencies"], **project.get("optional-dependencies", {})}
        pins = root / "constraints.txt"
        self.constraints = pins if pins.exists() else None

    def digest(self, group: str) -> str:
        """Return a digest of what `group` asks for."""
        pins = self.constraints.read_text() if self.constraints else ""
        text = json.dumps([self.groups[group], pins])
        return hashlib.sha256(text.encode()).hexdigest()
