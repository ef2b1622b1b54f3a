"""Containers of a stack, read from what the engine tells."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from labkit.runtime.base import Instance, State
from labkit.runtime.docker import names
from labkit.stack import Service, instance_name

_NEVER = "0001-"
_FRACTION = re.compile(r"\.(\d{1,6})\d*")


@dataclass(frozen=True)
class Container:
    """One container. status: Docker's word. health: Docker's word, "" without a health check.

    ports: container port → port on this machine, in the order of the container's ports.
    check: the command of its health check, to be run inside. grace_s: how long it may take to end.
    """

    id: str
    service: str
    number: int
    status: str
    health: str = ""
    pid: int = 0
    created: str = ""
    started: str = ""
    restarts: int = 0
    init: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[int, int] = field(default_factory=dict)
    ip: str = ""
    check: tuple[str, ...] = ()
    grace_s: int = 10

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Self:
        """Read the answer of `inspect`."""
        state, config, labels = facts["State"], facts["Config"], facts["Config"]["Labels"]
        health = state.get("Health") or {}
        networks = facts["NetworkSettings"].get("Networks") or {}
        return cls(
            id=facts["Id"],
            service=labels[names.SERVICE],
            number=int(labels.get(names.NUMBER, 1)),
            status=state["Status"],
            health=health.get("Status", ""),
            pid=state["Pid"],
            created=facts["Created"],
            started="" if state["StartedAt"].startswith(_NEVER) else state["StartedAt"],
            restarts=facts["RestartCount"],
            init=bool(facts["HostConfig"].get("Init")),
            env=dict(entry.split("=", 1) for entry in config["Env"] or () if "=" in entry),
            ports=_ports(facts),
            ip=next((entry["IPAddress"] for entry in networks.values() if entry["IPAddress"]), ""),
            check=_command((config.get("Healthcheck") or {}).get("Test") or ()),
            grace_s=config.get("StopTimeout") or 10,
        )

    @property
    def name(self) -> str:
        """The instance: worker-2."""
        return instance_name(self.service, self.number)

    @property
    def life(self) -> str:
        """What no other start of this or another container has."""
        return f"{self.id[:12]}@{self.started}"

    @property
    def runs(self) -> bool:
        """Whether it has a process, frozen or not."""
        return self.status in ("running", "paused")

    def state(self, ready: str) -> State:
        """Say what it is doing; `ready` is the life in which it was seen ready."""
        if self.status == "paused":
            return State.PAUSED
        if self.status == "running":
            # Docker's own verdict comes up to ten seconds later, and is wrong for a while after a pause.
            seen = ready == self.life or self.health in ("", "healthy")
            return State.RUNNING if seen else State.STARTING
        # Docker starts a container again unless somebody stopped or killed it.
        return State.EXITED if self.status == "restarting" else State.STOPPED

    def instance(self, restarts: int, ready: str) -> Instance:
        """Describe it as any runtime does."""
        return Instance(
            self.name,
            self.service,
            self.state(ready),
            id=str(self.pid) if self.runs else "",
            started_at=moment(self.started) if self.runs else None,
            restarts=restarts,
        )


def moment(text: str) -> datetime:
    """Read a time of the engine; it has up to nine digits after the second."""
    cut = _FRACTION.sub(lambda found: f".{found[1]:0<6}", text.replace("Z", "+00:00"))
    return datetime.fromisoformat(cut).astimezone(UTC)


def in_order(table: Sequence[Service], found: Sequence[Container]) -> list[Container]:
    """Sort by the service table, then by number."""
    ranks = {service.name: rank for rank, service in enumerate(table)}
    return sorted(found, key=lambda entry: (ranks.get(entry.service, len(ranks)), entry.number))


def newest(found: Sequence[Container]) -> list[Container]:
    """Leave out containers that are just being replaced."""
    return list({entry.name: entry for entry in sorted(found, key=lambda entry: entry.created)}.values())


def _ports(facts: Mapping[str, Any]) -> dict[int, int]:
    """Read what is published; a container that does not run has only what was asked for."""
    asked = facts["HostConfig"].get("PortBindings") or {}
    given = {name: hosts for name, hosts in (facts["NetworkSettings"].get("Ports") or {}).items() if hosts}
    numbers = {
        int(name.partition("/")[0]): int(hosts[0]["HostPort"])
        for name, hosts in {**asked, **given}.items()
        if hosts and hosts[0]["HostPort"]
    }
    return dict(sorted(numbers.items()))


def _command(test: Sequence[str]) -> tuple[str, ...]:
    kind, *words = test or ("NONE",)
    if kind == "CMD":
        return tuple(words)
    return ("/bin/sh", "-c", *words) if kind == "CMD-SHELL" else ()
