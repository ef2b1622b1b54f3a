"""What can be seen of a stack from outside, whether its supervisor lives or not."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from labkit.project import Project
from labkit.runtime.base import Instance, State, Stats
from labkit.runtime.local.ports import instance_ports
from labkit.runtime.local.processes import Census, Group, Owned, started_at
from labkit.runtime.local.state import Entry, LocalState, spawns
from labkit.stack import Service, instance_number

_FIRST_LOOK_S = 0.2
_LISTENS_S = 60.0


def in_order(table: Sequence[Service], state: LocalState) -> list[str]:
    """Name the instances of the stack in the order of the table, then by number."""
    ranks = {service.name: rank for rank, service in enumerate(table)}
    return sorted(
        state.instances,
        key=lambda name: (ranks.get(state.instances[name].service, len(ranks)), instance_number(name)),
    )


class View:
    """Describes a stack's instances again and again; what cannot have changed is not asked for anew."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._census = Census(state_dir)
        self._meter = Meter()
        self._listened: dict[tuple[int, float], float] = {}

    def instances(self, project: Project, table: Sequence[Service], state: LocalState) -> list[Instance]:
        """Describe every instance of the stack."""
        services = {service.name: service for service in table}
        everything = self._census.take()
        described = []
        for name in in_order(table, state):
            entry = state.instances[name]
            service = services.get(entry.service)
            ports = instance_ports(project, service, name) if service else ()
            described.append(self._describe(name, entry, Group(everything, name), ports[:1]))
        return described

    def stats(self, names: Sequence[str]) -> list[Stats]:
        """Measure the named instances; one without a process is left out."""
        if self._meter.is_new:
            self._meter.look(self._census.take())
            time.sleep(_FIRST_LOOK_S)
        return self._meter.read(names, self._census.take())

    def _describe(self, name: str, entry: Entry, group: Group, main_port: tuple[int, ...]) -> Instance:
        root = group.root
        restarts = max(0, spawns(self._state_dir, name) - 1)
        if root is None:
            state = State.STOPPED if entry.held else State.EXITED
            return Instance(name, entry.service, state, restarts=restarts)
        return Instance(
            name,
            entry.service,
            self._state(root, group, main_port),
            id=str(root.pid),
            started_at=datetime.fromtimestamp(started_at(root), UTC),
            restarts=restarts,
        )

    def _state(self, root: psutil.Process, group: Group, main_port: tuple[int, ...]) -> State:
        if group.paused():
            return State.PAUSED
        # Finding a process's ports takes far longer than all the rest.
        now = time.monotonic()
        if now < self._listened.get(_key(root), 0.0):
            return State.RUNNING
        listening = group.listening()
        if not (listening and listening.issuperset(main_port)):
            return State.STARTING
        self._listened = {key: until for key, until in self._listened.items() if now < until}
        self._listened[_key(root)] = now + _LISTENS_S
        return State.RUNNING


class Meter:
    """Measures CPU and memory of a stack's instances; CPU counts from one reading to the next."""

    def __init__(self) -> None:
        self._at = 0.0
        self._cpu_s: dict[tuple[int, float], float] = {}

    @property
    def is_new(self) -> bool:
        """Whether there is no reading yet to count from."""
        return not self._at

    def read(self, names: Sequence[str], everything: Sequence[Owned]) -> list[Stats]:
        """Measure the named instances; one without a process is left out."""
        elapsed = time.monotonic() - self._at
        before = self._cpu_s
        self.look(everything)
        return [
            Stats(name, round(self._used(group, before) / elapsed * 100, 1), sum(map(_rss, group.processes)))
            for name in names
            if (group := Group(everything, name)).processes
        ]

    def look(self, everything: Sequence[Owned]) -> None:
        """Note what has been used so far."""
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
