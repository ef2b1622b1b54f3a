"""Errors that reach a person: what happened, and what to do next.

They name commands by their plain name, `labctl up`; the command line shows the form that works there.

LabError
├── ProjectError        a project's name, ports or files cannot be used
├── UnknownName         no such service or instance
├── CountError          a service cannot run that many times
├── BadValue            a value of the command line makes no sense
├── NoRun               no run directory is meant by these words
├── StackDown           the stack is not up
├── NotRunning          an instance has no process to act on
├── Busy                another command is changing this project
├── PortTaken           a port of the stack is held by another process
├── MissingProgram      a program that the stack needs is not installed
├── StartFailed         an instance ends again and again while it starts
├── NotReady            an instance runs but does not become ready in time
├── ApiUnreachable      the pipeline's API does not answer, or not as asked
├── SupervisorError     the local supervisor does not answer or refuses
├── NoDocker            no Docker engine with Compose v2 that could run a stack answers
├── ImageMissing        an image can neither be fetched nor made
├── DockerRefused       the Docker engine, or Compose, refuses a command
└── Unsupported         this platform cannot run that runtime
"""

from __future__ import annotations

from labkit.install.errors import LabError

__all__ = ["LabError"]


class ProjectError(LabError):
    """A project's name, ports or files cannot be used."""


class UnknownName(LabError):
    """No service or instance has this name."""

    @classmethod
    def of(cls, kind: str, name: str, known: list[str]) -> UnknownName:
        """Say which `kind` ("service", "instance") is unknown, and which are known."""
        listed = ", ".join(known) or "none"
        return cls(f"There is no {kind} called {name!r}.", f"Known are: {listed}.")


class CountError(LabError):
    """A service cannot run that many times."""


class BadValue(LabError):
    """A value of the command line makes no sense."""


class NoRun(LabError):
    """No run directory is meant by these words."""


class StackDown(LabError):
    """The stack is not up."""

    @classmethod
    def of(cls, project: str) -> StackDown:
        """Say that the stack of `project` is not up."""
        return cls(f"The stack of project {project!r} is not up.", "Start it: labctl up")


class NotRunning(LabError):
    """An instance has no process to act on."""

    @classmethod
    def of(cls, instance: str, state: str) -> NotRunning:
        """Say that `instance` is not running but in `state`."""
        return cls(f"{instance} is {state}.", f"Start it: labctl restart {instance}")


class Busy(LabError):
    """Another command is changing this project."""


class PortTaken(LabError):
    """A port of the stack is held by another process."""


class MissingProgram(LabError):
    """A program that the stack needs is not installed.

    program: its name in `labkit.install.programs`; empty where the kit does not install it.
    """

    def __init__(self, message: str, next_step: str, program: str = "") -> None:
        super().__init__(message, next_step)
        self.program = program


class StartFailed(LabError):
    """An instance ends again and again while it starts."""


class NotReady(LabError):
    """An instance runs but does not become ready in time."""


class ApiUnreachable(LabError):
    """The pipeline's API does not answer, or not as asked."""

    @classmethod
    def of(cls, url: str, cause: BaseException) -> ApiUnreachable:
        """Say that the API at `url` did not answer, and why."""
        return cls(
            f"The API at {url} did not answer: {str(cause) or type(cause).__name__}.", "See: labctl status"
        )


class SupervisorError(LabError):
    """The local supervisor does not answer, or refuses a command."""


class NoDocker(LabError):
    """No Docker engine with Compose v2 that could run a stack answers."""


class ImageMissing(LabError):
    """An image can neither be fetched nor made."""


class DockerRefused(LabError):
    """The Docker engine, or Compose, refuses a command."""


class Unsupported(LabError):
    """This platform cannot run that runtime."""
