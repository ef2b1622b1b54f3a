"""Which runtime a stack gets, and why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from labkit.doctor import engine, runtimes
from labkit.doctor.check import Results, passed
from labkit.doctor.project import DOCKER, LOCAL
from labkit.errors import LabError
from labkit.project import Project
from labkit.runtime.record import Record, read_record
from labkit.settings import LabSettings, base_environment


@dataclass(frozen=True)
class Choice:
    """The runtime's kind, "local" or "docker", and the reason in words."""

    kind: str
    why: str


def choose(settings: LabSettings, project: Project) -> Choice:
    """Say what runs the project's stack: where it is up, else what was asked for, else what is there."""
    record = read_record(project)
    if record is not None and not _is_stale(record, settings, project):
        return Choice(record.runtime, "the stack is up there")
    if settings.runtime != "auto":
        return Choice(settings.runtime, "as was asked for")
    found = _docker()
    if passed(found):
        return Choice(DOCKER, f"{found[0].detail} with Compose {found[1].detail} answers")
    return Choice(LOCAL, f"Docker: {found[-1].detail}")


def explain(settings: LabSettings) -> list[str]:
    """Say in a line what a new stack will run on and why; a second one if Docker was given little memory."""
    choice = choose(settings, Project(settings.project, port_offset=settings.port_offset))
    lines = [f"Runtime: {choice.kind} ({choice.why}); --runtime chooses."]
    if choice.kind == DOCKER:
        memory = engine.check_memory(engine.facts())
        if memory.fix and not memory.ok:
            lines.append(f"Docker may use {memory.detail}. More: {memory.fix}")
    return lines


@cache
def _docker() -> Results:
    """Ask the engine once: a command is short."""
    return runtimes.check_docker()


def _is_stale(record: Record, settings: LabSettings, project: Project) -> bool:
    """Tell whether somebody wants another runtime, and took the containers of the record down by hand."""
    from labkit.runtime.docker.runtime import DockerRuntime  # noqa: PLC0415 - needed in this case only

    if record.runtime != DOCKER or settings.runtime in ("auto", DOCKER):
        return False
    try:
        return not DockerRuntime(project, environ=base_environment()).instances()
    except LabError:
        return True
