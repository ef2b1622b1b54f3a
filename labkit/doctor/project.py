"""Which project is looked at: its name, its ports, and whether its runtime has it up."""

import json
import os
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

from labkit import words
from labkit.install.errors import LabError

LOCAL, DOCKER = "local", "docker"
PREFIX = "queue-lab"
COMPOSE_PROJECT = "com.docker.compose.project"  # the labels by which Compose knows its containers
COMPOSE_SERVICE = "com.docker.compose.service"

LOCAL_PORTS = {
    "api": 8000,
    "dashboard": 8080,
    "tracker": 8090,
    "notifier": 8091,
    "object store": 9000,
    "rabbitmq": 5772,
    "management": 15772,
    "metrics": 15792,
    "distribution": 25772,
    "epmd": 4469,
    "prometheus": 9190,
}  # before the offset; the five from rabbitmq on are the private RabbitMQ's
DOCKER_PORTS = {
    "api": 8000,
    "dashboard": 8080,
    "object store": 9000,
    "postgres": 15432,
    "rabbitmq": 5672,
    "management": 15672,
    "metrics": 15692,
    "prometheus": 9090,
    "grafana": 3000,
}
PORTS = {LOCAL: LOCAL_PORTS, DOCKER: DOCKER_PORTS}
EXTRAS = {
    "dashboard": "dashboard",
    "prometheus": "observability",
    "grafana": "observability",
}  # ports of what has to be asked for
HIGHEST_OFFSET = 39536


class Project(NamedTuple):
    """One stack of this checkout: its state lies in .lab/<name>/."""

    name: str
    offset: int
    started: bool = False  # the runtime has a record of it: `up` was run, and `down` was not
    runtime: str = LOCAL
    extras: Tuple[str, ...] = ()  # parts of the stack that were asked for

    def may_lack(self, service: str) -> bool:
        """Tell whether the stack does without this service: it has to be asked for, and was not."""
        return service in EXTRAS and EXTRAS[service] not in self.extras

    @property
    def state_dir(self) -> Path:
        """Return the folder of this project's state; every process of its stack carries that path."""
        return words.ROOT / ".lab" / self.name

    def port(self, service: str) -> int:
        """Return the port of `service`, offset included."""
        return self.ports[service]

    @property
    def ports(self) -> Dict[str, int]:
        """Return all ports of the project, offset included."""
        return {service: port + self.offset for service, port in PORTS[self.runtime].items()}


def compose_project(project: str) -> str:
    """Name the Compose project: "default" is the one that a plain `docker compose up` starts."""
    return PREFIX if project == "default" else f"{PREFIX}-{project}"


def read_project(name: Optional[str] = None, offset: Optional[int] = None) -> Project:
    """Return the project that is asked for; what is None comes from LAB_PROJECT and LAB_PORT_OFFSET.

    The offset of a running stack wins; without a chosen one it is that of the last stack. Raises LabError.
    """
    name = name or setting("LAB_PROJECT") or "default"
    record = _record(name)
    chosen = offset if offset is not None else setting("LAB_PORT_OFFSET") or _kept(name)
    runtime = DOCKER if record.get("runtime") == DOCKER else LOCAL
    return Project(
        name, _number(record.get("port_offset", chosen)), bool(record), runtime, _asked_for(record)
    )


def setting(name: str) -> str:
    """Return a setting from the environment, or else from the file .env; "" if neither has it."""
    if name in os.environ:
        return os.environ[name]
    try:
        lines = (words.ROOT / ".env").read_text().splitlines()
    except OSError:
        return ""
    pairs = [line.strip().partition("=") for line in lines]
    values = [value.strip().strip("\"'") for key, _, value in pairs if key.strip() == name]
    return values[-1] if values else ""


def _record(name: str) -> Dict[str, Any]:
    """Return what the runtime keeps about a stack that is up; {} if there is none."""
    try:
        record = json.loads((Project(name, 0).state_dir / "stack.json").read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _asked_for(record: Dict[str, Any]) -> Tuple[str, ...]:
    """Return the extras of a stack that is up."""
    options = record.get("options")
    extras = options.get("extras") if isinstance(options, dict) else None
    return tuple(name for name, wanted in extras.items() if wanted) if isinstance(extras, dict) else ()


def _kept(name: str) -> int:
    """Return the offset that `down` has noted; 0 if there is none."""
    try:
        return int((Project(name, 0).state_dir / "port-offset").read_text())
    except (OSError, ValueError):
        return 0


def _number(value: object) -> int:
    try:
        offset = int(str(value))
    except ValueError:
        offset = -1
    if not 0 <= offset <= HIGHEST_OFFSET:
        raise LabError(
            f"The port offset {value!r} is not a number from 0 to {HIGHEST_OFFSET}.",
            "Take it away: unset LAB_PORT_OFFSET",
        )
    return offset
