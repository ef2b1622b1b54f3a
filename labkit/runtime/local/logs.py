"""Each instance writes into its own file; these functions read, follow and bound those files."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from labkit.runtime.base import LogLine

MAX_BYTES = 20_000_000

_POLL_S = 0.2
_BLOCK_BYTES = 65_536
_SUFFIX = ".log"


def log_file(log_dir: Path, name: str) -> Path:
    """Give the file into which the instance writes its log."""
    return log_dir / f"{name}{_SUFFIX}"


def last_lines(path: Path, count: int) -> tuple[list[str], int]:
    """Read the last lines of a log, and the position behind them from which to follow it."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            data, start = b"", end
            while start and data.count(b"\n") <= count:
                start = max(0, start - _BLOCK_BYTES)
                file.seek(start)
                data = file.read(end - start)
    except FileNotFoundError:
        return [], 0
    lines = _text(data)
    return (lines[-count:] if count else []), end


class Follower:
    """Yields what is added to a set of logs, including logs that come into being later."""

    def __init__(self, positions: Mapping[Path, int]) -> None:
        self._positions = dict(positions)
        self._rest: dict[Path, bytes] = {}

    def lines(
        self, paths: Callable[[], Mapping[str, Path]], running: Callable[[], bool]
    ) -> Iterator[LogLine]:
        """Follow the logs that `paths` gives (instance → file) until `running` says no."""
        going = True
        while going:
            going = running()  # asked first, so that the last words of the stack are still read
            found = [LogLine(name, text) for name, path in paths().items() for text in self._added(path)]
            yield from found
            if going and not found:
                time.sleep(_POLL_S)

    def _added(self, path: Path) -> list[str]:
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                position = self._positions.get(path, 0)
                file.seek(position if position <= size else 0)  # a shorter file was cut meanwhile
                data = self._rest.pop(path, b"") + file.read()
                self._positions[path] = file.tell()
        except FileNotFoundError:
            return []
        whole, _, self._rest[path] = data.rpartition(b"\n")
        return _text(whole)


def bound(log_dir: Path, max_bytes: int = MAX_BYTES) -> None:
    """Move the content of each log that has grown too big aside, to one `.1` file; writers append on."""
    for path in log_dir.glob(f"*{_SUFFIX}"):
        if path.stat().st_size > max_bytes:
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
            os.truncate(path, 0)


def _text(data: bytes) -> list[str]:
    return data.decode(errors="replace").splitlines()
