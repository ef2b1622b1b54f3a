"""The service table as docker-compose.yml has it: other ports, a database of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from labkit.stack import SERVICES, Port, Service

_PORTS = {
    "rabbitmq": (Port("amqp", 5672, "amqp"), Port("management", 15672), Port("prometheus", 15692)),
    "object-store": (Port("s3", 9000),),
    "api": (Port("http", 8000),),
}
"""What is published on this machine; all other programs answer inside the network only."""

_DATABASE = Service(
    "postgres",
    "the job table",
    ports=(Port("sql", 15432, "postgresql"),),
    outside="LAB_DATABASE_URL",
)
_USERS = ("tracker", "api")


def docker_table(services: Sequence[Service] = SERVICES) -> tuple[Service, ...]:
    """Return the table of what runs on Docker, in the order of the table of programs."""
    return tuple(_rows(services))


def _rows(services: Sequence[Service]) -> Iterator[Service]:
    for service in services:
        needs = (*service.needs, _DATABASE.name) if service.name in _USERS else service.needs
        # A published port belongs to one container, so the API runs once.
        scalable = service.scalable and service.name not in _PORTS
        yield replace(service, ports=_PORTS.get(service.name, ()), needs=needs, scalable=scalable)
        if service.readiness == "store":
            yield _DATABASE


def port_variable(service: Service, port: Port) -> str:
    """Name the variable of docker-compose.yml that sets the port: LAB_RABBITMQ_MANAGEMENT_PORT."""
    main = port == service.ports[0]
    words = (service.name,) if main else (service.name, port.name)
    return "_".join(("LAB", *words, "PORT")).upper().replace("-", "_")
