"""Bring what runs into line with what should run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from labkit.project import Project
from labkit.runtime.base import Progress, Report
from labkit.runtime.grace import grace_s
from labkit.runtime.local import logs
from labkit.runtime.local.placements import Placement, Placer
from labkit.runtime.local.ports import check_ports
from labkit.runtime.local.processes import Group, end, owned
from labkit.runtime.local.processes import marks as marks_of
from labkit.runtime.local.state import Entry, Identity, LocalState, spawn_log, write_state
from labkit.runtime.local.supervisor import Supervisor, launch, new_endpoint
from labkit.runtime.private import check_room, make_private_dir


class Builder:
    """Adds and removes instances of one stack; the caller holds the project's lock."""

    def __init__(self, project: Project, placer: Placer, environ: Mapping[str, str], report: Report) -> None:
        self._project = project
        self._placer = placer
        self._environ = environ
        self._report = report

    def reconcile(self, state: LocalState, wanted: Sequence[Placement]) -> tuple[LocalState, list[Placement]]:
        """End what has changed; give the new state and what is to be started. Raises PortTaken."""
        fits = {placement.name: placement.fingerprint for placement in wanted}
        unfit = [
            name
            for name, entry in state.instances.items()
            if name in fits and entry.fingerprint != fits[name]
        ]
        self._end(state, unfit)
        present = set(Supervisor(state.supervisor).names()) if state.supervisor else set()
        missing = [placement for placement in wanted if placement.name not in present]
        check_ports({port: new.name for new in missing for port in new.ports}, self._project.port_offset)
        kept = {name: entry for name, entry in state.instances.items() if name not in unfit}
        added = {new.name: Entry(new.service.name, new.fingerprint) for new in wanted}
        for new in missing:
            if new.name not in kept:
                spawn_log(self._project.state_dir, new.name).unlink(missing_ok=True)
        return self._supervised(replace(state, instances={**kept, **added})), missing

    def _supervised(self, state: LocalState) -> LocalState:
        """Keep the state, and start a supervisor if it has none."""
        if state.supervisor is None:
            endpoint = new_endpoint()
            # Written before the launch too: whoever finds this half done knows what to clean up.
            write_state(self._project, replace(state, supervisor=Identity(0, 0.0, endpoint)))
            identity = launch(endpoint, self._project.state_dir, self._project.log_dir, self._environ)
            state = replace(state, supervisor=identity)
        return self._keep(state)

    def _keep(self, state: LocalState) -> LocalState:
        """Keep the state for later commands, and for the Prometheus that looks at the instances."""
        write_state(self._project, state)
        self._placer.announce({name: entry.service for name, entry in state.instances.items()})
        return state

    def start(self, state: LocalState, placement: Placement) -> None:
        """Start one instance under the supervisor."""
        assert state.supervisor is not None  # noqa: S101 - reconcile gave it one
        self._report(Progress.STARTING, placement.name)
        self._placer.prepare(placement)
        env = {**self._environ, **placement.env, **marks_of(self._project.state_dir, placement.name)}
        log = logs.log_file(self._project.log_dir, placement.name)
        Supervisor(state.supervisor).add(placement.name, placement.argv, env, log)

    def retire(
        self, state: LocalState, wanted: Sequence[Placement], scope: Collection[str] | None
    ) -> LocalState:
        """End what is not wanted any more; `scope` names the services that this is about, None means all."""
        stays = {placement.name for placement in wanted}
        leaving = [
            name
            for name, entry in state.instances.items()
            if name not in stays and (scope is None or entry.service in scope)
        ]
        self._end(state, leaving)
        kept = {name: entry for name, entry in state.instances.items() if name not in leaving}
        return self._keep(replace(state, instances=kept))

    def _end(self, state: LocalState, names: Sequence[str]) -> None:
        """End instances politely; the supervisor does not start them again."""
        if state.supervisor is not None:
            for name in names:
                Supervisor(state.supervisor).release(name)
        for name in names:
            self._report(Progress.STOPPING, name)
        everything = owned(self._project.state_dir)
        end([Group(everything, name) for name in names], grace_s(state.options.environment()))
        for name in names:
            self._report(Progress.STOPPED, name)


def make_folders(project: Project) -> None:
    """Make the folders of a stack that is about to start; logs and counters of an earlier one go."""
    check_room(make_private_dir(project.state_dir))
    for folder in (project.data_dir, project.log_dir, project.state_dir / "spawns"):
        make_private_dir(folder)
    for path in [*project.log_dir.iterdir(), *(project.state_dir / "spawns").iterdir()]:
        path.unlink()
