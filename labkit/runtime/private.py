"""Files and folders that only their owner may read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.errors import ProjectError


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
