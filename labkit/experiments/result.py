"""What came of an experiment: one file that names its runs and has expected beside measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit.cores import allowed_cores, programs
from labkit.experiments.expectation import Line, Range, overall

FILE = "experiment.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Ran:
    """One measured run.

    run: the name of its directory. refusals: what the API said instead of yes → how often.
    trouble: what could not be done to the stack meanwhile.
    """

    part: str
    point: str
    repeat: int
    run: str
    refusals: Mapping[str, int]
    trouble: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An experiment's runs and lines.

    state: running, finished or interrupted. cores: that may be used. programs: how many wanted one before.
    """

    name: str
    state: str
    begun: str
    quick: bool
    cores: float
    programs: float | None = None
    ended: str = ""
    calibration: Mapping[str, Any] | None = None
    runs: tuple[Ran, ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def verdict(self) -> bool | None:
        """True: as expected. False: not. None: too little is known, or not all of it ran."""
        found = overall(self.lines)
        return None if found and self.state != "finished" else found

    def having(self, state: str) -> Result:
        """Return it in another state, ended now."""
        return replace(self, state=state, ended=_now())

    def as_json(self) -> dict[str, object]:
        """Return what the file holds, and what `--json` prints."""
        return {"format": FORMAT, **asdict(self), "verdict": self.verdict}


def begin(name: str, *, quick: bool, calibration: Mapping[str, Any] | None) -> Result:
    """Return the result of an experiment that begins now."""
    return Result(
        name=name,
        state="running",
        begun=_now(),
        quick=quick,
        cores=allowed_cores(),
        programs=programs(),
        calibration=calibration,
    )


def make_folder(name: str, root: Path) -> Path:
    """Make the folder of a result below the run directories, under a name that is not taken."""
    root.mkdir(parents=True, exist_ok=True)
    stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-experiment-{name}"
    for number in range(1, 1000):
        path = root / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"there are too many results of this second: {stem}")


def write(folder: Path, result: Result) -> None:
    """Write the file, whole or not at all."""
    draft = folder / f"{FILE}.part"
    draft.write_text(json.dumps(result.as_json(), indent=2) + "\n", encoding="utf-8")
    draft.replace(folder / FILE)


def read(path: Path) -> Result | None:
    """Read the file; None when it is damaged, or of another format."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            return None
        del content["verdict"]
        runs = tuple(Ran(**{**ran, "trouble": tuple(ran["trouble"])}) for ran in content.pop("runs"))
        return Result(**{**content, "runs": runs, "lines": _lines(content.pop("lines"))})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def newest(name: str, root: Path) -> tuple[Path, Result] | None:
    """Return the newest result of an experiment, and its folder."""
    for path in sorted(root.glob(f"*-experiment-{name}*/{FILE}"), reverse=True):
        found = read(path)
        if found is not None and found.name == name:
            return path.parent, found
    return None


def _lines(found: Sequence[Mapping[str, Any]]) -> tuple[Line, ...]:
    return tuple(
        Line(
            **{
                **line,
                "expected": Range(**line["expected"]) if line["expected"] else None,
                "repeats": tuple(line["repeats"]),
            }
        )
        for line in found
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
