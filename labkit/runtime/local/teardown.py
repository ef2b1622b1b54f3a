"""End a stack, whatever state it is in, and leave no process behind."""

from collections.abc import Sequence

from labkit.project import Project
from labkit.runtime.base import Progress, Report
from labkit.runtime.grace import grace_s
from labkit.runtime.local.processes import SUPERVISOR, Group, Owned, end, kill, owned
from labkit.runtime.local.state import LocalState
from labkit.runtime.local.supervisor import Supervisor, endpoint_of, is_supervisor, remove_endpoint
from labkit.runtime.record import record_path
from labkit.stack import Service, waves


class Teardown:
    """Ends everything that carries the project's mark; the caller holds the project's lock."""

    def __init__(self, project: Project, table: Sequence[Service], report: Report) -> None:
        self._project = project
        self._table = table
        self._report = report

    def run(self, state: LocalState | None, *, at_once: bool = False) -> None:
        """Stop programs before broker and store, then the supervisor, then what is left.

        at_once: broker and store are killed, for their data is to be deleted anyway.
        """
        everything = owned(self._project.state_dir)
        endpoints = {endpoint_of(process) for process in Group(everything, SUPERVISOR).processes}
        if state is not None and state.supervisor is not None:
            endpoints.add(state.supervisor.endpoint)
        supervisor = self._silence(state)
        everything = owned(self._project.state_dir)
        grace = grace_s(state.options.environment() if state else {})
        for names in self._steps({entry.instance for entry in everything} - {SUPERVISOR}):
            backing = any(self._needs_no_grace(name) for name in names)
            self._end(everything, names, 0.0 if at_once and backing else grace)
        if supervisor is not None:
            supervisor.quit()
        self._end_rest()
        for endpoint in endpoints:
            remove_endpoint(endpoint)
        record_path(self._project).unlink(missing_ok=True)

    def _silence(self, state: LocalState | None) -> Supervisor | None:
        """Keep the supervisor from starting anything again; one that does not listen is killed."""
        identity = state.supervisor if state else None
        if identity is not None and is_supervisor(identity, self._project.state_dir):
            supervisor = Supervisor(identity)
            if supervisor.answers():
                for name in supervisor.names():
                    supervisor.release(name)
                return supervisor
        kill(Group(owned(self._project.state_dir), SUPERVISOR).processes)
        return None

    def _steps(self, instances: set[str]) -> list[list[str]]:
        """Group the instances for stopping: those that need others first."""
        services = {service_of(name) for name in instances}
        known = [set(wave) for wave in waves(self._table, services)]
        unknown = services.difference(*known)
        return [
            sorted(name for name in instances if service_of(name) in step)
            for step in (unknown, *reversed(known))
            if step
        ]

    def _needs_no_grace(self, name: str) -> bool:
        backing = {service.name for service in self._table if service.readiness != "health"}
        return service_of(name) in backing

    def _end(self, everything: Sequence[Owned], names: Sequence[str], grace_s: float) -> None:
        for name in names:
            self._report(Progress.STOPPING, name)
        end([Group(everything, name) for name in names], grace_s)
        for name in names:
            self._report(Progress.STOPPED, name)

    def _end_rest(self) -> None:
        """End daemons of the broker (epmd keeps nothing), and whatever was started meanwhile."""
        while rest := [entry.process for entry in owned(self._project.state_dir)]:
            kill(rest)


def service_of(name: str) -> str:
    """Read the service from an instance's name."""
    return name.rpartition("-")[0]
