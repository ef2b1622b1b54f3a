"""What can be seen of a stack from outside, whether its supervisor lives or not."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from labkit.project import Project
from labkit.runtime.base import Instance, State, Stats
from labkit.runtime.local.placements import instance_ports
from labkit.runtime.local.processes import Group, Owned, owned, started_at
from labkit.runtime.local.state import Entry, LocalState, spawns
from labkit.stack import Service, instance_number

_FIRST_LOOK_S = 0.2


def in_order(table: Sequence[Service], state: LocalState) -> list[str]:
    """Name the instances of the stack in the order of the table, then by number."""
    ranks = {service.name: rank for rank, service in enumerate(table)}
    return sorted(
        state.instances,
        key=lambda name: (ranks.get(state.instances[name].service, len(ranks)), instance_number(name)),
    )


def list_instances(project: Project, table: Sequence[Service], state: LocalState) -> list[Instance]:
    """Describe every instance of the stack."""
    services = {service.name: service for service in table}
    everything = owned(project.state_dir)
    described = []
    for name in in_order(table, state):
        entry = state.instances[name]
        service = services.get(entry.service)
        ports = instance_ports(project, service, name) if service else ()
        described.append(describe(project.state_dir, name, entry, Group(everything, name), ports[:1]))
    return described


def describe(state_dir: Path, name: str, entry: Entry, group: Group, main_port: tuple[int, ...]) -> Instance:
    """Describe one instance by its processes."""
    root = group.root
    restarts = max(0, spawns(state_dir, name) - 1)
    if root is None:
        return Instance(name, entry.service, State.STOPPED if entry.held else State.EXITED, restarts=restarts)
    return Instance(
        name,
        entry.service,
        _state(group, main_port),
        id=str(root.pid),
        started_at=datetime.fromtimestamp(started_at(root), UTC),
        restarts=restarts,
    )


def _state(group: Group, main_port: tuple[int, ...]) -> State:
    if group.paused():
        return State.PAUSED
    listening = group.listening()
    return State.RUNNING if listening and listening.issuperset(main_port) else State.STARTING


class Meter:
    """Measures CPU and memory of a stack's instances; CPU counts from one reading to the next."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._at = 0.0
        self._cpu_s: dict[tuple[int, float], float] = {}

    def read(self, names: Sequence[str]) -> list[Stats]:
        """Measure the named instances; one without a process is left out."""
        if not self._at:
            self._sample(owned(self._state_dir))
            time.sleep(_FIRST_LOOK_S)
        elapsed = time.monotonic() - self._at
        everything = owned(self._state_dir)
        before = self._cpu_s
        self._sample(everything)
        return [
            Stats(name, round(self._used(group, before) / elapsed * 100, 1), sum(map(_rss, group.processes)))
            for name in names
            if (group := Group(everything, name)).processes
        ]

    def _sample(self, everything: Sequence[Owned]) -> None:
        self._at = time.monotonic()
        self._cpu_s = {_key(entry.process): _cpu_s(entry.process) for entry in everything}

    def _used(self, group: Group, before: dict[tuple[int, float], float]) -> float:
        keys = map(_key, group.processes)
        return sum(max(0.0, self._cpu_s.get(key, 0.0) - before.get(key, 0.0)) for key in keys)


def _key(process: psutil.Process) -> tuple[int, float]:
    return process.pid, started_at(process)


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
