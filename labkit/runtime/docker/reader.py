from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from labkit.errors import NotRunning, StackDown, UnknownName
from labkit.project import REPOSITORY, Project
from labkit.runtime.base import Instance, LogLine, State, Stats
from labkit.runtime.credentials import Credentials
from labkit.runtime.docker import names
from labkit.runtime.docker.compose import Compose
from labkit.runtime.docker.containers import Container, in_order, newest
from labkit.runtime.docker.engine import Engine
from labkit.runtime.docker.inside import adopted, outwards, shared
from labkit.runtime.docker.logs import Follower, last_lines
from labkit.runtime.docker.meter import Meter
from labkit.runtime.docker.ready import HOST
from labkit.runtime.docker.state import DockerState, read_state
from labkit.runtime.docker.table import docker_table
from labkit.runtime.private import make_private_dir, own_files
from labkit.runtime.record import in_force
from labkit.stack import DOCKER_SERVICES, Options, Port, Service, find_service, instance_name, port_variable

COMPOSE_FILE = REPOSITORY / "docker-compose.yml"

_GONE = ("removing", "dead")
_MAIN_PORT = "LAB_PORT"


class DockerReader:
    """The half of the Docker runtime that changes nothing.

    environ: what the docker command needs, without LAB_ variables. file: the Compose file.
    """

    def __init__(
        self,
        project: Project,
        table: Sequence[Service] = DOCKER_SERVICES,
        *,
        environ: Mapping[str, str],
        file: Path = COMPOSE_FILE,
    ) -> None:
        self._project = project
        self._table = docker_table(table)
        self._engine = Engine(environ)
        self._compose = Compose(file, names.compose_project(project.name), environ)
        self._meter = Meter(self._engine)

    @property
    def project(self) -> Project:
        """The project, with the port offset of its running stack if there is one."""
        with own_files(self._project.state_dir):
            return in_force(self._project)

    @property
    def kind(self) -> str:
        """See `Runtime.kind`."""
        return "docker"

    @property
    def services(self) -> Sequence[Service]:
        """See `Runtime.services`."""
        return self._table

    def instances(self) -> list[Instance]:
        """See `Runtime.instances`."""
        found = self._look()
        return self._described(found, self._state(found)) if found else []

    def logs(self, target: str | None = None, *, follow: bool = False, lines: int = 100) -> Iterator[LogLine]:
        """See `Runtime.logs`."""
        chosen = self._chosen(target, self._up())
        # One line even of those of which none is wanted: it tells from when on lines are new.
        asked = self._engine.each(lambda entry: last_lines(self._engine, entry, max(lines, 1)), chosen)
        pairs = list(zip(chosen, asked, strict=True))
        old = [LogLine(entry.name, line.text) for entry, found in pairs if lines for line in found]
        since = {entry.id: found[-1].at for entry, found in pairs if found}
        return self._follow(old, since, target) if follow else iter(old)

    def _follow(self, old: list[LogLine], since: Mapping[str, str], target: str | None) -> Iterator[LogLine]:
        yield from old
        yield from Follower(self._engine, lambda: self._chosen(target, self._look()) or None, since).lines()

    def _chosen(self, target: str | None, found: Sequence[Container]) -> list[Container]:
        chosen = [entry for entry in found if target in (None, entry.name, entry.service)]
        if target is not None and not chosen:
            find_service(self._table, target)  # a service that runs no instance has no lines
        return chosen

    def stats(self) -> list[Stats]:
        """See `Runtime.stats`."""
        return self._meter.read(self._look())

    def address(self, target: str, port: str = "") -> str:
        """See `Runtime.address`; what is not published is reached inside the network."""
        found = self._look()
        one = next((entry for entry in found if entry.name == target), None)
        service = find_service(self._table, one.service if one else target)
        one = one or next((entry for entry in found if entry.service == service.name), None)
        if service.ports:
            index = _port_index(service.ports, port)
            return f"{service.ports[index].scheme or 'tcp'}://{HOST}:{self._host_port(service, index, one)}"
        if one is None or not one.ip or _MAIN_PORT not in one.env:
            raise NotRunning.of(one.name if one else instance_name(service.name, 1), "not listening")
        return f"http://{one.ip}:{one.env[_MAIN_PORT]}"

    def _host_port(self, service: Service, index: int, container: Container | None) -> int:
        published = list(container.ports.values()) if container else []
        if index < len(published):
            return published[index]
        return self.project.port(service.ports[index].base)

    def environment(self) -> dict[str, str]:
        """See `Runtime.environment`."""
        found = self._up()
        options = self._state(found).options
        inside = shared(found, self._table) or self._declared(options)
        return {**options.environment(), **outwards(inside, found)}

    def _declared(self, options: Options) -> dict[str, str]:
        """Read from the Compose file what no running program tells."""
        services = self._compose.config(self._variables(options))["services"]
        programs = {service.name for service in self._table if service.command}
        found: dict[str, str] = {}
        for name in programs.intersection(services):
            declared = services[name].get("environment") or {}
            # A variable that is only passed on has no value where nobody set it.
            found |= {key: str(value) for key, value in declared.items() if value is not None}
        return found

    def _variables(self, options: Options) -> dict[str, str]:
        """Give what the Compose file may ask for: secrets, settings, ports with the project's offset."""
        chosen = options.environment()
        ports = {port_variable(service, port): port.base for service in self._table for port in service.ports}
        shifted = {
            name: str(self.project.port(int(chosen[name]) if chosen.get(name, "").isdigit() else base))
            for name, base in ports.items()
        }
        kept = self._credentials()
        secrets = {
            "LAB_WEBHOOK_SECRET": kept.webhook_secret,
            "LAB_JWT_SECRET": kept.jwt_secret,
            "LAB_DASHBOARD_SECRET": kept.dashboard_secret,
        }
        return {**secrets, **chosen, **shifted}

    def _credentials(self) -> Credentials:
        with own_files(self._project.state_dir):
            make_private_dir(self._project.state_dir)
            return Credentials.keep(self._project.state_dir / "credentials.json")

    def _look(self) -> list[Container]:
        """Read the stack's containers, in order."""
        labels = [f"{names.PROJECT}={names.compose_project(self._project.name)}", f"{names.ONE_OFF}=False"]
        found = [Container.read(facts) for facts in self._engine.containers(labels)]
        return in_order(self._table, newest([entry for entry in found if entry.status not in _GONE]))

    def _up(self) -> list[Container]:
        found = self._look()
        if not found:
            raise StackDown.of(self._project.name)
        return found

    def _state(self, found: Sequence[Container]) -> DockerState:
        """Give what is known of the stack that runs; one that somebody else started tells it itself."""
        with own_files(self._project.state_dir):
            state = read_state(self._project) if found else None
        return state or DockerState(self._project.port_offset, adopted(found, self._table))

    def _described(self, found: Sequence[Container], state: DockerState) -> list[Instance]:
        return [entry.instance(state.restarts(entry), state.ready.get(entry.name, "")) for entry in found]

    def _find(self, name: str, found: Sequence[Container], *, running: bool = False) -> Container:
        """Look an instance up. Raises UnknownName and, if it must run, NotRunning."""
        known = {entry.name: entry for entry in found}
        if name not in known:
            raise UnknownName.of("instance", name, list(known))
        if running and not known[name].runs:
            state = known[name].state("")
            raise NotRunning.of(name, State.EXITED if state == State.EXITED else State.STOPPED)
        return known[name]


def _port_index(ports: Sequence[Port], name: str) -> int:
    known = [port.name for port in ports]
    if name and name not in known:
        raise UnknownName.of("port", name, known)
    return known.index(name) if name else 0
