import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from labkit.project import Project
from labkit.runtime.docker.containers import Container
from labkit.runtime.private import make_private_dir, write_private
from labkit.runtime.record import record_path
from labkit.stack import Options

VERSION = 1


@dataclass(frozen=True)
class Past:
    """What the engine forgets: starts of a container that it did not make by its restart policy."""

    container: str
    restarts: int


@dataclass(frozen=True)
class DockerState:
    """The Docker body of `stack.json`: what was chosen, and what the engine does not keep.

    ready: for each instance the life in which it was seen ready, which the engine finds out later.
    """

    port_offset: int
    options: Options = field(default_factory=Options)
    past: Mapping[str, Past] = field(default_factory=dict)
    ready: Mapping[str, str] = field(default_factory=dict)

    def restarts(self, container: Container) -> int:
        """Count the starts after the first, whoever made them."""
        past = self.past.get(container.name)
        return container.restarts + (past.restarts if past and past.container == container.id else 0)

    def after(self, before: Sequence[Container], now: Sequence[Container]) -> Self:
        """Count what has been started by a command: the engine begins to count anew then."""
        then = {entry.id: entry for entry in before}
        past = dict(self.past)
        for entry in now:
            old = then.get(entry.id)
            if old is None or not old.started or old.started == entry.started or not entry.runs:
                continue
            # Restarts by the engine keep its count; after a command it is zero.
            if entry.restarts < old.restarts or entry.restarts == 0:
                past[entry.name] = Past(entry.id, self.restarts(old) + 1)
        return replace(self, past=past)

    def saw_ready(self, container: Container) -> Self:
        """Remember that it was ready."""
        return replace(self, ready={**self.ready, container.name: container.life})

    def encode(self) -> str:
        """Give the text of the file."""
        return json.dumps({"version": VERSION, "runtime": "docker", **asdict(self)}, indent=2, default=dict)

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read the text of the file. Raises ValueError, KeyError or TypeError for any other text."""
        fields: dict[str, Any] = json.loads(text)
        if fields["version"] != VERSION or fields["runtime"] != "docker":
            raise ValueError(f"not a state of version {VERSION}")
        return cls(
            port_offset=fields["port_offset"],
            options=Options(**{**fields["options"], "only": tuple(fields["options"]["only"])}),
            past={name: Past(**past) for name, past in fields["past"].items()},
            ready=dict(fields["ready"]),
        )


def read_state(project: Project) -> DockerState | None:
    """Read the project's state; None when there is none or the file is of another kind or damaged."""
    try:
        return DockerState.decode(record_path(project).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_state(project: Project, state: DockerState) -> None:
    """Keep the state for later commands; only the owner may read it, for settings may hold passwords."""
    make_private_dir(project.state_dir)
    write_private(record_path(project), state.encode())
