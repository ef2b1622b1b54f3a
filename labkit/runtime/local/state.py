import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from labkit.project import Project
from labkit.runtime.private import write_private
from labkit.runtime.record import record_path
from labkit.stack import Options

VERSION = 1


@dataclass(frozen=True)
class Identity:
    """The supervisor: pid (0 before it runs), start time (a recycled pid has another), socket folder."""

    pid: int
    created: float
    endpoint: str


@dataclass(frozen=True)
class Entry:
    """One instance that belongs to the stack.

    held: kept down until `start`. fingerprint: what it was started with, to see whether that has changed.
    """

    service: str
    fingerprint: str
    held: bool = False


@dataclass(frozen=True)
class LocalState:
    """The local body of `stack.json`: what a command must know about a stack that others started."""

    port_offset: int
    options: Options = field(default_factory=Options)
    supervisor: Identity | None = None
    instances: Mapping[str, Entry] = field(default_factory=dict)

    def hold(self, name: str, *, held: bool) -> "LocalState":
        """Mark an instance as held down, or not any more."""
        return replace(self, instances={**self.instances, name: replace(self.instances[name], held=held)})

    def encode(self) -> str:
        """Give the text of the file."""
        fields = {"version": VERSION, "runtime": "local", **asdict(self)}
        return json.dumps(fields, indent=2, default=dict)

    @classmethod
    def decode(cls, text: str) -> "LocalState":
        """Read the text of the file. Raises ValueError, KeyError or TypeError for any other text."""
        fields: dict[str, Any] = json.loads(text)
        if fields["version"] != VERSION or fields["runtime"] != "local":
            raise ValueError(f"not a state of version {VERSION}")
        options = {**fields["options"], "only": tuple(fields["options"]["only"])}
        supervisor = fields["supervisor"]
        return cls(
            port_offset=fields["port_offset"],
            options=Options(**options),
            supervisor=Identity(**supervisor) if supervisor else None,
            instances={name: Entry(**entry) for name, entry in fields["instances"].items()},
        )


def read_state(project: Project) -> LocalState | None:
    """Read the project's state; None when there is none or the file is of another kind or damaged."""
    try:
        return LocalState.decode(record_path(project).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_state(project: Project, state: LocalState) -> None:
    """Keep the state for later commands; only the owner may read it, for settings may hold passwords."""
    write_private(record_path(project), state.encode())


def spawn_log(state_dir: Path, name: str) -> Path:
    """Give the file to which the supervisor adds a line for each start of the instance."""
    return state_dir / "spawns" / name


def spawns(state_dir: Path, name: str) -> int:
    """Count the starts of an instance since it joined the stack."""
    try:
        return len(spawn_log(state_dir, name).read_bytes().splitlines())
    except FileNotFoundError:
        return 0
