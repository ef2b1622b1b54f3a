"""What the environment of running containers tells about their stack."""

from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from labkit.runtime.docker.containers import Container
from labkit.runtime.docker.ready import HOST
from labkit.stack import CHOICES, Options, Service

# These belong to one container or one pool.
_OWN = ("LAB_HOST", "LAB_PORT", "LAB_INSTANCE", "LAB_QUEUES")


def shared(found: Sequence[Container], table: Sequence[Service]) -> dict[str, str]:
    """Return the settings that the programs have; empty when no program is there."""
    programs = {service.name for service in table if service.command}
    return {
        name: value
        for entry in found
        if entry.service in programs
        for name, value in entry.env.items()
        if (name.startswith("LAB_") or name == "LOG_LEVEL") and name not in _OWN
    }


def outwards(settings: Mapping[str, str], found: Sequence[Container]) -> dict[str, str]:
    """Turn addresses inside the network into those of this machine."""
    return {name: _outwards(value, found) for name, value in settings.items()}


def adopted(found: Sequence[Container], table: Sequence[Service]) -> Options:
    """Return what was chosen for a stack that was not started by labctl."""
    scalable = {service.name for service in table if service.scalable}
    chosen = {name: value for name, value in shared(found, table).items() if name in CHOICES}
    names = {entry.service for entry in found}
    return Options(
        counts=dict(Counter(entry.service for entry in found if entry.service in scalable)),
        settings=chosen,
        extras={service.extra: True for service in table if service.extra and service.name in names},
    )


def _outwards(value: str, found: Sequence[Container]) -> str:
    parts = urlsplit(value)
    if not parts.hostname:
        return value
    for entry in found:
        if entry.service == parts.hostname and (port := _published(parts, entry)):
            login, at, _ = parts.netloc.rpartition("@")
            return parts._replace(netloc=f"{login}{at}{HOST}:{port}").geturl()
    return value


def _published(parts: SplitResult, container: Container) -> int | None:
    inside = parts.port or next(iter(container.ports), 0)
    return container.ports.get(inside)
