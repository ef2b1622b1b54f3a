"""What the monitor sees in one moment, and the file in which it is kept for later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit.control.marks import Mark
from labkit.errors import BadValue
from labkit.sampling.samples import Sample


@dataclass(frozen=True, slots=True)
class Frame:
    """A sample, and the marks made since the frame before."""

    sample: Sample
    marks: tuple[Mark, ...] = ()

    def encode(self) -> str:
        """Return one line of JSON: the sample, with `marks` beside its own fields."""
        marks = json.dumps([asdict(mark) for mark in self.marks], ensure_ascii=False)
        return f'{self.sample.encode()[:-1]},"marks":{marks}}}'

    @classmethod
    def decode(cls, line: str) -> Frame:
        """Read what `encode` wrote. Raises BadValue."""
        sample = Sample.decode(line)
        found = json.loads(line).get("marks", [])
        marks = (Mark.decode(json.dumps(entry)) for entry in (found if isinstance(found, list) else []))
        return cls(sample, tuple(mark for mark in marks if mark is not None))


def read_frames(path: Path) -> list[Frame]:
    """Return the frames of a recording. Raises BadValue when there is none, or it is not one.

    A last line that was cut off is left out: the program that wrote it was killed.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise BadValue(
            f"{path} cannot be read: {error.strerror}.", "Record one: labctl monitor --record FILE"
        ) from None
    frames = list(_decoded(lines))
    if not frames:
        raise BadValue(f"{path} holds no recording.", "Record one: labctl monitor --record FILE")
    return frames


def _decoded(lines: Iterable[str]) -> Iterator[Frame]:
    filled = [line for line in lines if line.strip()]
    for number, line in enumerate(filled, 1):
        try:
            yield Frame.decode(line)
        except BadValue:
            if number < len(filled):
                raise
