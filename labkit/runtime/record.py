"""What a running stack leaves on disk for later commands, whichever runtime it is."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from labkit.project import Project

RECORD = "stack.json"
OFFSET = "port-offset"


@dataclass(frozen=True)
class Record:
    """The head of `stack.json`: the runtime that is up, and its port offset."""

    runtime: str
    port_offset: int


def record_path(project: Project) -> Path:
    """Give the path of the project's record; the file exists while its stack is up."""
    return project.state_dir / RECORD


def read_record(project: Project) -> Record | None:
    """Read the record; None when no stack is up or the file is unreadable (then `up` writes a new one)."""
    try:
        fields = json.loads(record_path(project).read_text(encoding="utf-8"))
        return Record(str(fields["runtime"]), int(fields["port_offset"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def in_force(project: Project) -> Project:
    """Give the project with the port offset of its running stack, if there is one."""
    record = read_record(project)
    return project if record is None else replace(project, port_offset=record.port_offset)


def keep_offset(project: Project) -> None:
    """Note the port offset of a stack that ends, for the next `up` of the project."""
    (project.state_dir / OFFSET).write_text(f"{project.port_offset}\n", encoding="utf-8")


def kept_offset(project: Project) -> int | None:
    """Return the port offset that the project's last stack had; None when there was none."""
    try:
        return int((project.state_dir / OFFSET).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
