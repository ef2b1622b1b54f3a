from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from labkit.errors import NotRunning, StackDown, UnknownName
from labkit.project import Project
from labkit.runtime.base import Instance, LogLine, State, Stats
from labkit.runtime.credentials import Credentials
from labkit.runtime.local import logs
from labkit.runtime.local.placements import Placer
from labkit.runtime.local.ports import HOST, instance_ports
from labkit.runtime.local.processes import Group, owned
from labkit.runtime.local.state import LocalState, read_state
from labkit.runtime.local.view import View, in_order
from labkit.runtime.private import own_files
from labkit.runtime.record import in_force
from labkit.stack import SERVICES, Port, Service, find_service, instance_name


class LocalReader:
    """The half of the local runtime that changes nothing.

    environ: what every process inherits. find_server: gives the path of the rabbitmq-server script.
    """

    def __init__(
        self,
        project: Project,
        table: Sequence[Service] = SERVICES,
        *,
        environ: Mapping[str, str],
        find_server: Callable[[], Path],
    ) -> None:
        self._project = project
        self._table = table
        self._environ = dict(environ)
        self._find_server = find_server
        self._view = View(project.state_dir)

    @property
    def project(self) -> Project:
        """The project, with the port offset of its running stack if there is one."""
        with own_files(self._project.state_dir):
            return in_force(self._project)

    @property
    def kind(self) -> str:
        """See `Runtime.kind`."""
        return "local"

    @property
    def services(self) -> Sequence[Service]:
        """See `Runtime.services`."""
        return self._table

    def instances(self) -> list[Instance]:
        """See `Runtime.instances`."""
        state = self._state()
        return self._view.instances(self.project, self._table, state) if state else []

    def logs(self, target: str | None = None, *, follow: bool = False, lines: int = 100) -> Iterator[LogLine]:
        """See `Runtime.logs`."""
        positions: dict[Path, int] = {}
        old: list[LogLine] = []
        for name, path in self._log_files(target).items():
            texts, positions[path] = logs.last_lines(path, lines)
            old += [LogLine(name, text) for text in texts]
        return self._follow(old, positions, target) if follow else iter(old)

    def _follow(
        self, old: list[LogLine], positions: dict[Path, int], target: str | None
    ) -> Iterator[LogLine]:
        yield from old
        yield from logs.Follower(positions).lines(
            lambda: self._log_files(target) if self._state() else {}, lambda: self._state() is not None
        )

    def _log_files(self, target: str | None) -> dict[str, Path]:
        state = self._known_state()
        names = in_order(self._table, state)
        chosen = [name for name in names if target in (None, name, state.instances[name].service)]
        if target is not None and not chosen:
            find_service(self._table, target)  # a service that runs no instance has no lines
        return {name: logs.log_file(self._project.log_dir, name) for name in chosen}

    def stats(self) -> list[Stats]:
        """See `Runtime.stats`."""
        state = self._state()
        return self._view.stats(in_order(self._table, state)) if state else []

    def address(self, target: str, port: str = "") -> str:
        """See `Runtime.address`."""
        state = self._state() or LocalState(self._project.port_offset)
        entry = state.instances.get(target)
        service = find_service(self._table, entry.service if entry else target)
        if elsewhere := state.options.settings.get(service.outside):
            return _without_login(elsewhere)
        name = target if entry else instance_name(service.name, 1)
        if not service.ports:
            return f"http://{HOST}:{self._announced_port(name)}"
        index = _port_index(service.ports, port)
        number = instance_ports(self.project, service, name)[index]
        return f"{service.ports[index].scheme or 'tcp'}://{HOST}:{number}"

    def _announced_port(self, name: str) -> int:
        listening = self._group(name).listening()
        if not listening:
            raise NotRunning.of(name, "not listening")
        return min(listening)

    def environment(self) -> dict[str, str]:
        """See `Runtime.environment`."""
        options = self._known_state().options
        return {**self._placer().backing(), **options.environment()}

    def _state(self) -> LocalState | None:
        with own_files(self._project.state_dir):
            return read_state(self._project)

    def _known_state(self) -> LocalState:
        if (state := self._state()) is None:
            raise StackDown.of(self._project.name)
        return state

    def _find(self, name: str, *, running: bool = False) -> Instance:
        """Look an instance up. Raises StackDown, UnknownName and, if it must run, NotRunning."""
        state = self._known_state()
        if name not in state.instances:
            raise UnknownName.of("instance", name, in_order(self._table, state))
        found = next(instance for instance in self.instances() if instance.name == name)
        if running and found.state in (State.STOPPED, State.EXITED):
            raise NotRunning.of(name, found.state)
        return found

    def _group(self, name: str) -> Group:
        return Group(owned(self._project.state_dir), name)

    def _credentials(self) -> Credentials:
        return Credentials.keep(self._project.state_dir / "credentials.json")

    def _placer(self) -> Placer:
        return Placer(self.project, self._table, self._credentials(), self._find_server)


def _port_index(ports: Sequence[Port], name: str) -> int:
    names = [port.name for port in ports]
    if name and name not in names:
        raise UnknownName.of("port", name, names)
    return names.index(name) if name else 0


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
