"""Which run directory is meant by what somebody typed."""

from __future__ import annotations

import json
from pathlib import Path

from labkit.errors import NoRun
from labkit.runs import files


def find_run(text: str | None, root: Path = files.RUNS) -> Path:
    """Return a run's directory by path, name, number (1 is the newest) or unique prefix; None: the latest.

    A name is the directory's, or what was run ("demo": its newest run). Raises NoRun.
    """
    known = directories(root)
    if text is not None and _is_path(text):
        return _at(Path(text))
    if not known:
        raise NoRun("There is no run yet.", "Make one: labctl demo")
    if text is None or text == files.LATEST:
        return latest(root) or known[0]
    if text.isdecimal() and len(text) < len("20260101"):
        return _numbered(int(text), known)
    return _named(text, known)


def latest(root: Path = files.RUNS) -> Path | None:
    """Return where `latest` points to, a link or a file with the name; None when that is not there."""
    link = root / files.LATEST
    try:
        found = link.resolve() if link.is_dir() else root / link.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return found if _is_run(found) else None


def directories(root: Path = files.RUNS) -> list[Path]:
    """Return all run directories below `root`, newest first."""
    if not root.is_dir():
        return []
    found = [path for path in root.iterdir() if not path.is_symlink() and _is_run(path)]
    return sorted(found, key=_begun, reverse=True)


def _begun(path: Path) -> tuple[str, str]:
    """Order by the moment of the beginning: two runs of one second differ in microseconds."""
    return str(_about(path).get("begun") or ""), path.name


def _about(path: Path) -> dict[str, object]:
    try:
        found = json.loads((path / files.ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_run(path: Path) -> bool:
    return (path / files.ABOUT).is_file()


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or _is_run(Path(text))


def _at(path: Path) -> Path:
    found = path.parent if path.name == files.ABOUT else path
    if not _is_run(found):
        raise NoRun(f"{path} is no run directory.", "See what there is: labctl results list")
    return found.resolve()


def _numbered(number: int, known: list[Path]) -> Path:
    if not 1 <= number <= len(known):
        raise NoRun(
            f"There is no run number {number}; there are {len(known)}.",
            "See their numbers: labctl results list",
        )
    return known[number - 1]


def _named(text: str, known: list[Path]) -> Path:
    exact = [path for path in known if path.name == text]
    same_name = [path for path in known if _about(path).get("name") == text]
    begin = [path for path in known if path.name.startswith(text)]
    found = exact or same_name[:1] or begin
    if not found:
        raise NoRun(f"There is no run called {text!r}.", "See what there is: labctl results list")
    if len(found) > 1:
        some = ", ".join(path.name for path in found[:3])
        raise NoRun(
            f"{len(found)} runs begin with {text!r}: {some}{' …' if len(found) > 3 else ''}.",  # noqa: PLR2004  (as many as fit)
            "Type more of the name, or its number in: labctl results list",
        )
    return found[0]
