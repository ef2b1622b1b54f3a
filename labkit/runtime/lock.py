import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from labkit.errors import Busy

_POLL_S = 0.1
_FAR = 1_000_000


@contextmanager
def only_one(path: Path, wait_s: float) -> Iterator[None]:
    """Let one command at a time change a project; the system drops the lock when its holder dies.

    Raises Busy when another command still holds it after `wait_s` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        _acquire(file, wait_s)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _acquire(file: TextIO, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            if time.monotonic() < deadline:
                time.sleep(_POLL_S)
                continue
            raise _busy(file) from None
        return


def _lock(file: TextIO) -> None:
    """Take the lock or raise; one of the two modules is there."""
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - only Windows has it

        file.seek(_FAR)  # whoever reads what is in the file must not meet the locked byte
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415 - Windows has none

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _busy(file: TextIO) -> Busy:
    file.seek(0)
    holder = file.read().strip()
    who = f" (pid {holder})" if holder else ""
    return Busy(f"Another command{who} is changing this project.", "Wait until it has ended, then try again.")
