import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from labkit.errors import SupervisorError, Unsupported
from labkit.project import Project
from labkit.runtime.base import Instance, Notify, Progress, Report, ignore
from labkit.runtime.grace import grace_s
from labkit.runtime.local.broker import server_script
from labkit.runtime.local.build import Builder, make_folders
from labkit.runtime.local.placements import Placement
from labkit.runtime.local.processes import end, kill, owned
from labkit.runtime.local.reader import LocalReader
from labkit.runtime.local.ready import Probe
from labkit.runtime.local.state import LocalState, read_state, write_state
from labkit.runtime.local.supervisor import Supervisor, is_supervisor
from labkit.runtime.local.teardown import Teardown
from labkit.runtime.local.view import in_order
from labkit.runtime.local.wait import Waiter
from labkit.runtime.lock import only_one
from labkit.runtime.private import own_files
from labkit.stack import KEEP, SERVICES, Options, Service, check_count, check_layout, layout_in, waves

_LOCK_WAIT_S = 20.0
_READY_S = 60.0


class LocalRuntime(LocalReader):
    """Runs the stack as plain processes of this machine, supervised by Circus; needs no rights.

    environ: what every process inherits. find_server: gives the path of the rabbitmq-server script.
    """

    def __init__(
        self,
        project: Project,
        table: Sequence[Service] = SERVICES,
        *,
        environ: Mapping[str, str],
        find_server: Callable[[], Path] = server_script,
    ) -> None:
        super().__init__(project, table, environ=environ, find_server=find_server)

    def up(self, options: Options = KEEP, notify: Notify = ignore) -> None:
        """See `Runtime.up`."""
        report = Report(notify)
        with self._changing():
            state = self._take_over(report)
            chosen = options.over(state.options)
            wanted = self._placer().placements(chosen)
            state = replace(state, options=replace(chosen, only=()))
            builder = self._builder(report)
            before = set(state.instances)
            state, missing = builder.reconcile(state, wanted)
            for wave in waves(self._table, {new.service.name for new in wanted}):
                due = [new for new in wanted if new.service.name in wave]
                # Newcomers would slow down the start of the replaced ones, which somebody waits for.
                for group in _split(due, before):
                    self._start(builder, state, [new for new in group if new in missing])
                    names = [new.name for new in group]
                    self._thaw(names)
                    self._wait(names, _READY_S, report)
            # Last, so that queues keep their consumers while the new ones start.
            builder.retire(state, wanted, options.only or None)

    def down(self, *, delete_data: bool = False, notify: Notify = ignore) -> None:
        """See `Runtime.down`."""
        with self._changing():
            state = self._state()
            Teardown(self.project, self._table, Report(notify)).run(state, at_once=delete_data)
            if delete_data:
                shutil.rmtree(self._project.state_dir, ignore_errors=True)

    def scale(self, service: str, count: int, notify: Notify = ignore) -> None:
        """See `Runtime.scale`."""
        check_count(self._table, service, count)
        report = Report(notify)
        with self._changing():
            state = self._supervised_state()
            check_layout(self._table, service, layout_in(state.options.environment()))
            chosen = replace(state.options, counts={**state.options.counts, service: count})
            wanted = [new for new in self._placer().placements(chosen) if new.service.name == service]
            builder = self._builder(report)
            state = builder.retire(replace(state, options=chosen), wanted, {service})
            state, missing = builder.reconcile(state, wanted)
            self._start(builder, state, missing)
        self._wait([new.name for new in wanted], _READY_S, report)

    def kill(self, name: str, *, respawn: bool = True) -> Instance:
        """See `Runtime.kill`."""
        with self._changing():
            state = self._supervised_state()
            victim = self._find(name, running=respawn)
            if not respawn:
                self._hold(state, name)
            kill(self._group(name).processes)
        return victim

    def stop(self, name: str) -> None:
        """See `Runtime.stop`."""
        with self._changing():
            state = self._supervised_state()
            self._find(name)
            self._hold(state, name)
            end([self._group(name)], grace_s(state.options.environment()))

    def start(self, name: str) -> None:
        """See `Runtime.start`."""
        report = Report(ignore)
        with self._changing():
            state = self._supervised_state()
            self._find(name)
            if state.instances[name].held:
                placed = [new for new in self._placer().placements(state.options) if new.name == name]
                write_state(self.project, state.hold(name, held=False))
                self._start(self._builder(report), state, placed)
        self._wait([name], _READY_S, report)

    def restart(self, name: str) -> None:
        """See `Runtime.restart`."""
        with self._changing():
            state = self._supervised_state()
            self._find(name)
            if not state.instances[name].held:
                # And the supervisor starts it again.
                end([self._group(name)], grace_s(state.options.environment()))
        self.start(name)

    def pause(self, name: str) -> None:
        """See `Runtime.pause`."""
        with self._changing():
            self._find(name, running=True)
            self._group(name).freeze()

    def resume(self, name: str) -> None:
        """See `Runtime.resume`."""
        with self._changing():
            self._find(name, running=True)
            self._thaw([name])

    def wait_ready(self, *names: str, within_s: float = _READY_S) -> None:
        """See `Runtime.wait_ready`."""
        state = self._known_state()
        for name in names:
            self._find(name)
        due = [name for name in in_order(self._table, state) if not state.instances[name].held]
        self._wait(names or due, within_s, Report(ignore))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the project against other commands. Raises Busy, ProjectError, Unsupported."""
        if sys.platform == "win32":
            raise Unsupported(
                "The local runtime does not run on Windows.",
                "Use WSL2 (wsl --install, then the same commands inside it) or Docker.",
            )
        with own_files(self._project.state_dir), only_one(self._project.lock_file, _LOCK_WAIT_S):
            yield

    def _take_over(self, report: Report) -> LocalState:
        """Give the state of a stack that is up, or of a new one after cleaning up what a dead one left."""
        state = read_state(self._project)
        if state is not None and self._is_supervised(state):
            return state
        if state is not None or owned(self._project.state_dir):
            report(Progress.CLEANING, "")
            Teardown(self.project, self._table, report).run(state)
        make_folders(self._project)
        return LocalState(self._project.port_offset, options=state.options if state else KEEP)

    def _is_supervised(self, state: LocalState) -> bool:
        identity = state.supervisor
        if identity is None or not is_supervisor(identity, self._project.state_dir):
            return False
        return Supervisor(identity).answers()

    def _supervised_state(self) -> LocalState:
        state = self._known_state()
        if not self._is_supervised(state):
            raise SupervisorError("The supervisor of this stack has died.", "Repair the stack: labctl up")
        return state

    def _builder(self, report: Report) -> Builder:
        return Builder(self.project, self._placer(), self._environ, report)

    def _start(self, builder: Builder, state: LocalState, placements: Collection[Placement]) -> None:
        for placement in placements:
            builder.start(state, placement)

    def _hold(self, state: LocalState, name: str) -> None:
        """Tell everybody first, so that the supervisor cannot start it again in between."""
        write_state(self.project, state.hold(name, held=True))
        if state.supervisor is not None:
            Supervisor(state.supervisor).release(name)

    def _thaw(self, names: Collection[str]) -> None:
        for name in names:
            self._group(name).thaw()

    def _wait(self, names: Collection[str], within_s: float, report: Report) -> None:
        state = self._known_state()
        services = {service.name: service for service in self._table}
        targets = [
            (name, services[state.instances[name].service]) for name in names if name in state.instances
        ]
        Waiter(self.project, Probe(self._credentials()), report).wait(targets, within_s)


def _split(due: Sequence[Placement], before: Collection[str]) -> tuple[list[Placement], list[Placement]]:
    """Part those that ran before from newcomers."""
    return [new for new in due if new.name in before], [new for new in due if new.name not in before]
