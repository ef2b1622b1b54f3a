"""From what has to run to processes: command line, environment and ports of each instance."""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from labkit.errors import MissingProgram
from labkit.project import Project
from labkit.runtime.credentials import Credentials
from labkit.runtime.local.broker import Node
from labkit.runtime.local.hooks import OBJECTS
from labkit.runtime.local.ports import HOST, instance_ports
from labkit.runtime.local.prometheus import Prometheus, prometheus_program
from labkit.runtime.private import make_private_dir
from labkit.stack import Launch, Options, Service, find_service, launches


@dataclass(frozen=True)
class Placement:
    """One instance as a process. `ports` are all fixed ones, the main one first; `env` adds to the base."""

    name: str
    service: Service
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ports: tuple[int, ...]

    @property
    def fingerprint(self) -> str:
        """Tell apart what it is started with, without giving it away."""
        text = json.dumps([self.argv, dict(self.env)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class Placer:
    """Turns launches into placements for one project."""

    def __init__(
        self,
        project: Project,
        table: Sequence[Service],
        credentials: Credentials,
        find_server: Callable[[], Path],
    ) -> None:
        self._project = project
        self._table = table
        self._credentials = credentials
        self._find_server = find_server

    def backing(self) -> dict[str, str]:
        """Say how the programs reach this machine's own broker, store and database."""
        values = {
            "LAB_DATABASE_URL": f"sqlite:///{self._project.data_dir / 'lab.db'}",
            "LAB_WEBHOOK_SECRET": self._credentials.webhook_secret,
            "LAB_DASHBOARD_SECRET": self._credentials.dashboard_secret,
            "LAB_JWT_SECRET": self._credentials.jwt_secret,
        }
        for service in self._table:
            if service.readiness == "broker":
                values["LAB_AMQP_URL"] = self._node(service).amqp_url()
            elif service.readiness == "store":
                port = self._project.port(service.ports[0].base)
                values["LAB_S3_ENDPOINT"] = f"http://{HOST}:{port}"
                values["LAB_S3_ACCESS_KEY"] = self._credentials.s3_access_key
                values["LAB_S3_SECRET_KEY"] = self._credentials.s3_secret_key
                values["LAB_S3_BUCKET"] = "lab"
            elif service.name == "api":
                values["LAB_API_URL"] = f"http://{HOST}:{self._project.port(service.ports[0].base)}"
        return values

    def placements(self, options: Options) -> list[Placement]:
        """Give every instance that has to run. Raises UnknownName, CountError, MissingProgram."""
        wanted = launches(self._table, options, self.backing())
        return [self._place(launch, name) for launch in wanted for name in launch.names()]

    def _place(self, launch: Launch, name: str) -> Placement:
        service = launch.service
        ports = instance_ports(self._project, service, name)
        argv, env = self._program(launch, name, ports)
        return Placement(name, service, argv, env, ports)

    def _program(
        self, launch: Launch, name: str, ports: tuple[int, ...]
    ) -> tuple[tuple[str, ...], dict[str, str]]:
        service = launch.service
        if service.readiness == "broker":
            return (str(self._find_server()),), self._node(service).environment()
        if service.readiness == "store":
            return self._store(launch, ports[0])
        if service.module and find_spec(service.module) is None:
            raise MissingProgram(
                f"The packages of the {service.name} are not installed.",
                f"Install them beside the kit's own: pip install -e '.[{service.extra}]' -c constraints.txt",
                service.extra or "",
            )
        if service.readiness == "prometheus":
            return (prometheus_program(), *self._prometheus(service).arguments()), {}
        own = {"LAB_INSTANCE": name, "LAB_HOST": HOST, "LAB_PORT": str(ports[0] if ports else 0)}
        return (sys.executable, *service.command), {**launch.env, **own, "PYTHONUNBUFFERED": "1"}

    def _store(self, launch: Launch, port: int) -> tuple[tuple[str, ...], dict[str, str]]:
        options = {
            "--host": HOST,
            "--port": str(port),
            "--data-dir": str(self._objects),
            "--log-level": "warning",
        }
        flat = (word for pair in options.items() for word in pair)
        argv = (sys.executable, "-m", "nanio", "serve", *flat, "--no-access-log")
        keys = {
            "NANIO_ACCESS_KEY": launch.env["LAB_S3_ACCESS_KEY"],
            "NANIO_SECRET_KEY": launch.env["LAB_S3_SECRET_KEY"],
        }
        return argv, {**keys, OBJECTS: str(self._objects)}

    def prepare(self, placement: Placement) -> None:
        """Write the files that the instance needs before it starts."""
        if placement.service.readiness == "broker":
            self._node(placement.service).prepare()
        if placement.service.readiness == "store":
            make_private_dir(self._objects)
        if placement.service.readiness == "prometheus":
            self._prometheus(placement.service).prepare()

    def announce(self, instances: Mapping[str, str]) -> None:
        """Tell Prometheus, if there is one, which instances there are: their names, and their services."""
        services = {service.name: service for service in self._table}
        present = {name: services[service] for name, service in instances.items() if service in services}
        for service in present.values():
            if service.readiness == "prometheus":
                self._prometheus(service).look_at(present)

    @property
    def _objects(self) -> Path:
        return self._project.data_dir / "objects"

    def _node(self, service: Service) -> Node:
        return Node(self._project, service, self._credentials)

    def _prometheus(self, service: Service) -> Prometheus:
        return Prometheus(self._project, service, find_service(self._table, "tracker"))
