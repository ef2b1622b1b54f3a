import time
from collections.abc import Sequence

from labkit.errors import NotReady, StackDown, StartFailed
from labkit.project import Project
from labkit.runtime.base import Progress, Report
from labkit.runtime.local.logs import last_lines, log_file
from labkit.runtime.local.ports import instance_ports
from labkit.runtime.local.processes import Group, owned
from labkit.runtime.local.ready import Probe
from labkit.runtime.local.state import spawns
from labkit.runtime.record import read_record
from labkit.stack import Service

_POLL_S = 0.1
_DEATHS = 3
_QUOTE_CHARACTERS = 300


class Waiter:
    """Waits until instances are ready, and finds out early when they never will be."""

    def __init__(self, project: Project, probe: Probe, report: Report) -> None:
        self._project = project
        self._probe = probe
        self._report = report

    def wait(self, targets: Sequence[tuple[str, Service]], within_s: float) -> None:
        """Wait for all (name, service). Raises StartFailed, NotReady, StackDown."""
        deadline = time.monotonic() + within_s
        pending = dict(targets)
        starts = {name: spawns(self._project.state_dir, name) for name in pending}
        while pending:
            troubles = self._troubles(pending)
            for name in [name for name in pending if not troubles[name]]:
                self._report(Progress.READY, name)
                del pending[name]
            for name in pending:
                self._check(name, starts[name], troubles[name], overdue=time.monotonic() > deadline)
            if pending:
                time.sleep(_POLL_S)

    def _troubles(self, pending: dict[str, Service]) -> dict[str, str]:
        everything = owned(self._project.state_dir)
        return {
            name: self._probe.trouble(
                service, instance_ports(self._project, service, name), Group(everything, name)
            )
            for name, service in pending.items()
        }

    def _check(self, name: str, starts: int, trouble: str, *, overdue: bool) -> None:
        if read_record(self._project) is None:
            raise StackDown.of(self._project.name)
        deaths = spawns(self._project.state_dir, name) - max(starts, 1)
        if deaths >= _DEATHS:
            raise StartFailed(
                f"{name} ended {deaths} times while starting. Its last words: {self._last_words(name)}",
                f"Read more: labctl logs {name}",
            )
        if overdue:
            raise NotReady(
                f"{name} is not ready: {trouble}. Its last words: {self._last_words(name)}",
                f"Read more: labctl logs {name}",
            )

    def _last_words(self, name: str) -> str:
        lines, _ = last_lines(log_file(self._project.log_dir, name), 10)
        spoken = [line.strip() for line in lines if line.strip()]
        return spoken[-1][:_QUOTE_CHARACTERS] if spoken else "none"
