"""The service table as the Docker runtime drives it."""

from collections.abc import Sequence
from dataclasses import replace

from labkit.stack import DOCKER_SERVICES, Service


def docker_table(services: Sequence[Service] = DOCKER_SERVICES) -> tuple[Service, ...]:
    """Return the table with the ports that are published; the others answer in the network only."""
    return tuple(map(_row, services))


def _row(service: Service) -> Service:
    ports = tuple(replace(port, base=port.docker) for port in service.ports if port.docker)
    # A published port belongs to one container.
    return replace(service, ports=ports, scalable=service.scalable and not ports)
