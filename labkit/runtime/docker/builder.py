"""Bring the containers into line with what should run."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from labkit.runtime.base import Progress, Report
from labkit.runtime.docker import names
from labkit.runtime.docker.compose import Compose
from labkit.runtime.docker.containers import Container
from labkit.runtime.docker.engine import Engine, Gone
from labkit.runtime.local.ports import holder, is_taken, refusal
from labkit.stack import Service

_LOOK_S = 0.4


class Builder:
    """Adds and removes containers of one stack; the caller holds the project's lock.

    look: lists the stack's containers. variables: those that the Compose file asks for.
    grace: options of Compose that say how long a program may take to end.
    """

    def __init__(
        self,
        compose: Compose,
        engine: Engine,
        look: Callable[[], list[Container]],
        variables: Mapping[str, str],
        report: Report,
        grace: Sequence[str],
    ) -> None:
        self._compose = compose
        self._engine = engine
        self._look = look
        self._variables = variables
        self._report = report
        self._grace = grace

    def check_ports(self, table: Sequence[Service], wanted: Collection[str], offset: int) -> None:
        """Refuse ports that somebody else holds. Raises PortTaken."""
        running = {entry.service: entry for entry in self._look() if entry.runs}
        needed = {
            port.base + offset: service
            for service in table
            if service.name in wanted and service.name not in running
            for port in service.ports
        }
        taken = [port for port in needed if is_taken(port)]
        if taken:
            bases = [port - offset for port in needed]
            raise refusal(taken[0], needed[taken[0]].name, self._holder, bases)

    def _holder(self, port: int) -> str:
        return self._publisher(port) or holder(port)

    def _publisher(self, port: int) -> str:
        """Say in words which container holds the port; "" if none does."""
        for entry in self._engine.listed():
            if any(published.get("PublicPort") == port for published in entry["Ports"] or ()):
                container = entry["Names"][0].removeprefix("/")
                project = names.lab_project(entry["Labels"].get(names.PROJECT, ""))
                return f"the container {container}" + (f" of the project {project!r}" if project else "")
        return ""

    def groups(self, wanted: Mapping[str, int]) -> Iterator[dict[str, int]]:
        """Part those that run already from newcomers, which would slow down the start of the others."""
        present = {name: len(self.members([name])) for name in wanted}
        old = {name: count for name, count in present.items() if count}
        if old:
            yield old
        if new := {name: count for name, count in wanted.items() if count > present[name]}:
            yield new

    def members(self, services: Collection[str]) -> list[str]:
        """Name the instances of the services."""
        return [entry.name for entry in self._look() if entry.service in services]

    def bring(self, counts: Mapping[str, int], *words: str) -> None:
        """Make so many containers of each service run as they should. words: options for Compose."""
        found = [entry for entry in self._look() if entry.service in counts]
        self.wake(found)
        watch = _Watch(self._look, self._report, counts, found)
        self._compose.up(counts, self._variables, watch.now_and_then, *self._grace, *words)
        watch.look()

    def wake(self, found: Sequence[Container]) -> None:
        """Let paused containers go on: they could not hear that they shall end."""
        for entry in found:
            if entry.status == "paused":
                with self._engine.asking() as api:
                    api.unpause(entry.id)

    def retire(self, wanted: Mapping[str, int], scope: Collection[str], grace_s: float) -> None:
        """Remove what is too much of the services in `scope`; the highest numbers go."""
        self.wake(self._look())
        leaving = [
            entry
            for name in scope
            for entry in [entry for entry in self._look() if entry.service == name][wanted.get(name, 0) :]
        ]
        for entry in leaving:
            self._report(Progress.STOPPING, entry.name)
        self._engine.each(lambda entry: self._remove(entry, grace_s), leaving)
        for entry in leaving:
            self._report(Progress.STOPPED, entry.name)

    def _remove(self, container: Container, grace_s: float) -> None:
        try:
            with self._engine.asking() as api:
                api.stop(container.id, timeout=round(max(grace_s, container.grace_s)))
                api.remove_container(container.id, v=True)
        except Gone:
            return

    def down(self, *words: str) -> None:
        """Stop and remove everything; words: options for Compose."""
        found = self._look()
        self.wake(found)
        for entry in found:
            if entry.runs:
                self._report(Progress.STOPPING, entry.name)
        watch = _Watch(self._look, self._report, {entry.service for entry in found}, found)
        self._compose.down(*self._grace, *words, meanwhile=watch.now_and_then)
        watch.look()


class _Watch:
    """Tells which containers of some services start and stop while Compose works."""

    def __init__(
        self,
        look: Callable[[], list[Container]],
        report: Report,
        services: Collection[str],
        found: Sequence[Container],
    ) -> None:
        self._look = look
        self._report = report
        self._services = services
        self._lives = {entry.name: entry.life for entry in found if entry.runs}
        self._looked = time.monotonic()

    def now_and_then(self) -> None:
        """Look, but not all the time."""
        if time.monotonic() - self._looked >= _LOOK_S:
            self.look()

    def look(self) -> None:
        """Tell what has changed since the look before."""
        found = [entry for entry in self._look() if entry.service in self._services and entry.runs]
        lives = {entry.name: entry.life for entry in found}
        for name in self._lives:
            if name not in lives:
                self._report(Progress.STOPPED, name)
        for name, life in lives.items():
            if self._lives.get(name) != life:
                self._report(Progress.STARTING, name)
        self._lives = lives
        self._looked = time.monotonic()
