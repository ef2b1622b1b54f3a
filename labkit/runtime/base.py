"""The seam between the instrument and whatever runs the stack."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from labkit.project import Project
from labkit.stack import KEEP, Options, Service


class State(StrEnum):
    """What an instance is doing."""

    STARTING = "starting"  # it runs, but does not listen yet
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"  # held down on purpose until `start`
    EXITED = "exited"  # ended by itself; the supervisor is about to start it again


@dataclass(frozen=True)
class Instance:
    """One running copy of a service.

    name: "worker-2". id: pid or container id, "" while nothing runs. started_at: UTC.
    restarts: how often it was started again under this name, for whatever reason.
    """

    name: str
    service: str
    state: State
    id: str = ""
    started_at: datetime | None = None
    restarts: int = 0


@dataclass(frozen=True)
class Stats:
    """Use of one instance, children included: CPU in percent of one core, resident memory in bytes."""

    instance: str
    cpu_percent: float
    rss_bytes: int


class LogLine(NamedTuple):
    """One line of an instance's log, without its line break."""

    instance: str
    text: str


class Progress(StrEnum):
    """What a long command is doing to an instance."""

    CLEANING = "cleaning"  # processes of a stack that died are being ended
    PULLING = "pulling"  # an image is being fetched
    BUILDING = "building"  # an image is being made
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Event:
    """Progress of a long command: what happens to which instance, seconds since the command began."""

    progress: Progress
    instance: str
    at_s: float


Notify = Callable[[Event], None]


def ignore(_: Event) -> None:
    """Drop progress."""


class Report:
    """Tells a listener what happens, with the seconds since the command began."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._began = time.monotonic()

    def __call__(self, progress: Progress, instance: str) -> None:
        """Pass one step on."""
        self._notify(Event(progress, instance, time.monotonic() - self._began))


class Runtime(Protocol):
    """Starts, breaks and watches one project's stack.

    All names are names of instances, unless a parameter is called `service`. Commands that name an unknown
    one raise UnknownName; commands on a stack that is not up raise StackDown.
    """

    @property
    def project(self) -> Project:
        """The project, with the port offset that is in force."""

    @property
    def kind(self) -> str:
        """Which one it is: "local", "docker" or "fake"."""

    @property
    def services(self) -> Sequence[Service]:
        """The services that it knows, with the ports at which they answer on this machine."""

    def up(self, options: Options = KEEP, notify: Notify = ignore) -> None:
        """Make the stack run as chosen and wait until it is ready; what already fits is left alone.

        Held instances start, paused ones resume, changed ones are replaced before new ones start; those that
        are not wanted any more finish their work when all others are ready.
        Raises PortTaken, MissingProgram, StartFailed, NotReady, CountError, BadValue, Busy.
        """

    def down(self, *, delete_data: bool = False, notify: Notify = ignore) -> None:
        """Stop everything, programs before the broker, and leave no process; nothing to stop is no error.

        Data stays unless `delete_data`.
        """

    def instances(self) -> list[Instance]:
        """List every instance, in the order of the service table; empty when the stack is not up."""

    def scale(self, service: str, count: int, notify: Notify = ignore) -> None:
        """Run the service `count` times and wait until all are ready; the highest numbers end first.

        Instances that go finish their work first. Raises CountError, StartFailed, NotReady.
        """

    def kill(self, name: str, *, respawn: bool = True) -> Instance:
        """Crash an instance (SIGKILL, with all its children) and tell what was killed.

        The supervisor starts it again at once; with `respawn=False` it stays down until `start`.
        """

    def stop(self, name: str) -> None:
        """End an instance politely (SIGTERM, it finishes its work); it stays down until `start`."""

    def start(self, name: str) -> None:
        """Start an instance that is held down and wait until it is ready; no effect on a running one."""

    def restart(self, name: str) -> None:
        """End an instance politely, start it again and wait until it is ready."""

    def pause(self, name: str) -> None:
        """Freeze an instance: it keeps its connections and memory but does nothing."""

    def resume(self, name: str) -> None:
        """Let a paused instance go on."""

    def wait_ready(self, *names: str, within_s: float = 60.0) -> None:
        """Wait until the named instances, or all that should run, are ready.

        Raises StartFailed and NotReady, each with the end of the instance's log.
        """

    def logs(self, target: str | None = None, *, follow: bool = False, lines: int = 100) -> Iterator[LogLine]:
        """Give the last `lines` lines of each instance of a service, of one instance, or of all.

        With `follow`, new lines follow until the stack goes down.
        """

    def stats(self) -> list[Stats]:
        """Measure each instance that runs; CPU counts from the call before (the first one takes 0.2 s)."""

    def address(self, target: str, port: str = "") -> str:
        """Give the URL of a service's or instance's port, without credentials; "" is the main port."""

    def environment(self) -> dict[str, str]:
        """Give the LAB_ variables with which a program on this machine reaches the stack. Holds secrets."""
