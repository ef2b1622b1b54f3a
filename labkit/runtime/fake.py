import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from labkit.errors import NotReady, NotRunning, StackDown, UnknownName
from labkit.project import Project
from labkit.runtime.base import Event, Instance, LogLine, Notify, Progress, State, Stats, ignore
from labkit.stack import (
    KEEP,
    SERVICES,
    Launch,
    Options,
    Service,
    check_count,
    check_layout,
    find_service,
    instance_name,
    instance_number,
    launches,
    layout_in,
    waves,
)

_HOST = "127.0.0.1"
_FREE_PORTS = itertools.count(40_000)
_RSS_BYTES = 20_000_000


@dataclass
class _Member:
    """One pretended process."""

    instance: Instance
    env: Mapping[str, str]
    port: int
    log: list[str] = field(default_factory=list)


class FakeRuntime:
    """A stack in memory: every program is ready at once, crashes are mended at once, nothing is computed.

    For tests and for trying things out; passes the same contract suite as the real runtimes.
    """

    def __init__(self, project: Project, table: Sequence[Service] = SERVICES) -> None:
        self._project = project
        self._table = table
        self._options = KEEP
        self._members: dict[str, _Member] = {}
        self._is_up = False
        self._ids = itertools.count(1)
        self._changed = threading.Condition()

    @property
    def project(self) -> Project:
        """The project."""
        return self._project

    @property
    def kind(self) -> str:
        """See `Runtime.kind`."""
        return "fake"

    @property
    def services(self) -> Sequence[Service]:
        """See `Runtime.services`."""
        return self._table

    def up(self, options: Options = KEEP, notify: Notify = ignore) -> None:
        """See `Runtime.up`."""
        chosen = options.over(self._options)
        wanted = launches(self._table, chosen, {})
        scope = set(options.only) or {service.name for service in self._table}
        self._options = replace(chosen, only=())
        self._is_up = True
        fits = {name: launch.env for launch in wanted for name in launch.names()}
        self._end([name for name in self._members if self._has_changed(name, fits)], notify)
        by_service = {launch.service.name: launch for launch in wanted}
        for wave in waves(self._table, set(by_service)):
            for name in (name for service in wave for name in by_service[service].names()):
                self._ensure(by_service[_service_of(name)], name, notify)
        leaving = [name for name in self._members if _service_of(name) in scope and name not in fits]
        self._end(leaving, notify)

    def _has_changed(self, name: str, fits: Mapping[str, Mapping[str, str]]) -> bool:
        return name in fits and fits[name] != self._members[name].env

    def _end(self, names: Sequence[str], notify: Notify) -> None:
        for name in names:
            notify(Event(Progress.STOPPING, name, 0.0))
            self._note(self._members.pop(name), "stopped")
            notify(Event(Progress.STOPPED, name, 0.0))

    def _ensure(self, launch: Launch, name: str, notify: Notify) -> None:
        if name not in self._members:
            port = self._fixed_port(launch.service, name) or next(_FREE_PORTS)
            blank = Instance(name, launch.service.name, State.STOPPED, restarts=-1)
            self._members[name] = _Member(blank, launch.env, port)
        member = self._members[name]
        if member.instance.state == State.STOPPED:
            notify(Event(Progress.STARTING, name, 0.0))
            self._spawn(member)
        self._set(member, state=State.RUNNING)
        notify(Event(Progress.READY, name, 0.0))

    def _fixed_port(self, service: Service, name: str) -> int | None:
        return (
            self._project.port(service.ports[0].base) + instance_number(name) - 1 if service.ports else None
        )

    def _spawn(self, member: _Member) -> None:
        old = member.instance
        member.instance = replace(
            old,
            state=State.RUNNING,
            id=str(next(self._ids)),
            started_at=datetime.now(UTC),
            restarts=old.restarts + 1,
        )
        self._note(member, f"started with prefetch {member.env.get('LAB_PREFETCH', 'default')}")

    def _note(self, member: _Member, text: str) -> None:
        with self._changed:
            member.log.append(text)
            self._changed.notify_all()

    def _set(self, member: _Member, *, state: State) -> None:
        member.instance = replace(member.instance, state=state)

    def down(self, *, delete_data: bool = False, notify: Notify = ignore) -> None:
        """See `Runtime.down`; there is no data to delete."""
        del delete_data
        for name, member in self._members.items():
            notify(Event(Progress.STOPPING, name, 0.0))
            self._note(member, "stopped")
            notify(Event(Progress.STOPPED, name, 0.0))
        with self._changed:
            self._members.clear()
            self._options = KEEP
            self._is_up = False
            self._changed.notify_all()

    def instances(self) -> list[Instance]:
        """See `Runtime.instances`."""
        ranks = {service.name: rank for rank, service in enumerate(self._table)}
        found = [member.instance for member in self._members.values()]
        return sorted(found, key=lambda entry: (ranks[entry.service], instance_number(entry.name)))

    def scale(self, service: str, count: int, notify: Notify = ignore) -> None:
        """See `Runtime.scale`."""
        check_count(self._table, service, count)
        self._require_up()
        check_layout(self._table, service, layout_in(self._options.environment()))
        self.up(Options(counts={service: count}, only=(service,)), notify)

    def kill(self, name: str, *, respawn: bool = True) -> Instance:
        """See `Runtime.kill`."""
        member = self._find(name, running=respawn)
        victim = member.instance
        if respawn:
            self._spawn(member)
        else:
            self._take_down(member)
        return victim

    def stop(self, name: str) -> None:
        """See `Runtime.stop`."""
        member = self._find(name)
        if member.instance.state != State.STOPPED:
            self._note(member, "stopped")
            self._take_down(member)

    def _take_down(self, member: _Member) -> None:
        member.instance = replace(member.instance, state=State.STOPPED, id="", started_at=None)

    def start(self, name: str) -> None:
        """See `Runtime.start`."""
        member = self._find(name)
        if member.instance.state == State.STOPPED:
            self._spawn(member)

    def restart(self, name: str) -> None:
        """See `Runtime.restart`."""
        self.stop(name)
        self.start(name)

    def pause(self, name: str) -> None:
        """See `Runtime.pause`."""
        self._set(self._find(name, running=True), state=State.PAUSED)

    def resume(self, name: str) -> None:
        """See `Runtime.resume`."""
        self._set(self._find(name, running=True), state=State.RUNNING)

    def wait_ready(self, *names: str, within_s: float = 60.0) -> None:
        """See `Runtime.wait_ready`; what is not ready now will not be by waiting."""
        del within_s
        self._require_up()
        due = [entry.name for entry in self.instances() if entry.state != State.STOPPED]
        for member in map(self._find, names or due):
            if member.instance.state != State.RUNNING:
                raise NotReady(
                    f"{member.instance.name} is not ready: it is {member.instance.state}.",
                    "Start or resume it first.",
                )

    def logs(self, target: str | None = None, *, follow: bool = False, lines: int = 100) -> Iterator[LogLine]:
        """See `Runtime.logs`."""
        self._require_up()
        if target is not None and target not in self._members:
            find_service(self._table, target)
        read = {name: len(member.log) for name, member in self._members.items()}
        old = [
            LogLine(entry.name, text)
            for entry in self.instances()
            if target in (None, entry.name, entry.service) and lines
            for text in self._members[entry.name].log[-lines:]
        ]
        return itertools.chain(old, self._follow(target, read)) if follow else iter(old)

    def _follow(self, target: str | None, read: dict[str, int]) -> Iterator[LogLine]:
        while True:
            with self._changed:
                while not (new := self._new_lines(target, read)) and self._is_up:
                    self._changed.wait()
            yield from new
            if not new:
                return

    def _new_lines(self, target: str | None, read: dict[str, int]) -> list[LogLine]:
        found = []
        for name, member in self._members.items():
            if target in (None, name, member.instance.service):
                found += [LogLine(name, text) for text in member.log[read.get(name, 0) :]]
                read[name] = len(member.log)
        return found

    def stats(self) -> list[Stats]:
        """See `Runtime.stats`; the figures are made up."""
        return [Stats(entry.name, 0.0, _RSS_BYTES) for entry in self.instances() if entry.id]

    def address(self, target: str, port: str = "") -> str:
        """See `Runtime.address`."""
        if member := self._members.get(target):
            return f"http://{_HOST}:{member.port}"
        service = find_service(self._table, target)
        names = [entry.name for entry in service.ports]
        if port and port not in names:
            raise UnknownName.of("port", port, names)
        if not names:
            return self.address(self._find(instance_name(target, 1), running=True).instance.name)
        chosen = service.ports[names.index(port) if port else 0]
        return f"{chosen.scheme or 'tcp'}://{_HOST}:{self._project.port(chosen.base)}"

    def environment(self) -> dict[str, str]:
        """See `Runtime.environment`."""
        self._require_up()
        return self._options.environment()

    def _require_up(self) -> None:
        if not self._is_up:
            raise StackDown.of(self._project.name)

    def _find(self, name: str, *, running: bool = False) -> _Member:
        self._require_up()
        if name not in self._members:
            raise UnknownName.of("instance", name, [entry.name for entry in self.instances()])
        member = self._members[name]
        if running and member.instance.state == State.STOPPED:
            raise NotRunning.of(name, member.instance.state)
        return member


def _service_of(name: str) -> str:
    return name.rpartition("-")[0]
