"""Files and folders that only their owner may read."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.errors import ProjectError

ROOM_BYTES = 200 * 10**6

_MEND = "Free some room, or move what is in the way, then try again."
_TROUBLE = {
    errno.ENOSPC: "cannot be written: the disk is full.",
    errno.EDQUOT: "cannot be written: your quota is used up.",
    errno.EROFS: "cannot be written: the disk is read-only.",
    errno.EEXIST: "is in the way: a folder of this name is needed.",
    errno.ENOTDIR: "is in the way: a folder of this name is needed.",
}


def make_private_dir(path: Path) -> Path:
    """Create the folder, and those above it, with mode 0700 for the last one."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Write the file so that a reader sees the old or the new text, never half of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


@contextmanager
def own_files(path: Path) -> Iterator[None]:
    """Turn a refused access under `path` into a ProjectError."""
    try:
        yield
    except PermissionError as error:
        raise ProjectError(
            f"{error.filename or path} belongs to another user.",
            "Run the command as that user, or choose another project by LAB_PROJECT.",
        ) from error
    except OSError as error:
        if error.errno not in _TROUBLE:
            raise
        raise ProjectError(f"{error.filename or path} {_TROUBLE[error.errno]}", _MEND) from error


def check_room(path: Path) -> None:
    """Refuse to start on a disk that is nearly full: a broker that runs out of it takes no more messages.

    Raises ProjectError.
    """
    free = shutil.disk_usage(path).free
    if free < ROOM_BYTES:
        raise ProjectError(
            f"The disk of {path} has {free // 10**6} MB free; a stack needs {ROOM_BYTES // 10**6} MB.", _MEND
        )
