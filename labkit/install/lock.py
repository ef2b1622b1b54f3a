"""One installation at a time."""

from contextlib import contextmanager
from pathlib import Path
from typing import IO, Iterator, Tuple

from labkit.install.say import say


@contextmanager
def only_one(path: Path) -> Iterator[Tuple[int, ...]]:
    """Hold the lock file `path`, after waiting for whoever has it.

    Yields the file descriptors that every child must inherit: a child that outlives its killed parent
    then keeps the lock until it has ended too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        yield (handle.fileno(),) if _locked(handle) else ()


def _locked(handle: IO[str]) -> bool:
    """Lock the file; False on Windows, which has no such lock."""
    try:
        import fcntl  # noqa: PLC0415 - missing on Windows
    except ImportError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another command is installing here. Waiting for it ...")
        fcntl.flock(handle, fcntl.LOCK_EX)
    return True
