"""The operating system's processes of one stack, found by a mark in their environment.

A pid can be recycled and a file can be stale; the mark was given by the stack itself and every child
inherits it, daemons such as epmd included. So nothing is ever signalled that does not carry it.
"""

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

STACK_MARK = "LAB_STACK"
INSTANCE_MARK = "LAB_INSTANCE"

SUPERVISOR = "supervisor"

# Started by the broker as a daemon that outlives it: ended with the stack, not with the instance.
_DAEMONS = frozenset({"epmd"})

_KILL_WAIT_S = 5.0
_SETTLED_S = 2.0
_STRANGERS_S = 20.0
_FREEZE_S = 2.0
_POLL_S = 0.05


@dataclass(frozen=True)
class Owned:
    """A live process of the stack, and the instance that it belongs to."""

    process: psutil.Process
    instance: str


def marks(state_dir: Path, instance: str) -> dict[str, str]:
    """Give the environment variables that mark a process as this instance of this stack."""
    return {STACK_MARK: str(state_dir), INSTANCE_MARK: instance}


def stack_of(process: psutil.Process) -> tuple[str, str]:
    """Read state folder and instance from a process's mark; empty when it has none or may not be read."""
    try:
        env = process.environ()
    except (psutil.Error, OSError):
        return "", ""
    return env.get(STACK_MARK, ""), env.get(INSTANCE_MARK, "")


def owned(state_dir: Path) -> list[Owned]:
    """List the live processes of the stack; zombies are gone already and do not count."""
    return Census(state_dir).take()


class Census:
    """Lists the live processes of a stack again and again, looking only at those that are new.

    A process that is younger than two seconds is looked at each time: between fork and exec it still has
    its parent's environment. Strangers are looked at anew now and then, for a pid can be recycled.
    """

    def __init__(self, state_dir: Path) -> None:
        self._mark = str(state_dir)
        self._ours: dict[int, Owned] = {}
        self._strangers: set[int] = set()
        self._forget_at = 0.0
        self._one = threading.Lock()

    def take(self) -> list[Owned]:
        """List them as they are now."""
        with self._one:
            return list(self._scan())

    def _scan(self) -> Iterator[Owned]:
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _STRANGERS_S
            self._strangers.clear()
        pids = psutil.pids()
        self._strangers.intersection_update(pids)
        self._ours = {pid: entry for pid, entry in self._ours.items() if is_alive(entry.process)}
        for pid in pids:
            if pid not in self._strangers and (entry := self._ours.get(pid) or self._look(pid)):
                yield entry

    def _look(self, pid: int) -> Owned | None:
        if pid == os.getpid():
            return None
        try:
            process = psutil.Process(pid)
        except psutil.Error:
            return None
        settled = time.time() - started_at(process) > _SETTLED_S
        stack, instance = stack_of(process)
        if stack != self._mark:
            if settled:
                self._strangers.add(pid)
            return None
        entry = Owned(process, instance)
        if settled:
            self._ours[pid] = entry
        return entry


class Group:
    """The processes of one instance at one moment."""

    def __init__(self, everything: Iterable[Owned], instance: str) -> None:
        self.instance = instance
        self.processes = [
            entry.process
            for entry in everything
            if entry.instance == instance and not _is_daemon(entry.process)
        ]

    @property
    def root(self) -> psutil.Process | None:
        """The process that the supervisor started; after its death the eldest one left."""
        pids = {process.pid for process in self.processes}
        heads = [process for process in self.processes if _parent(process) not in pids]
        return min(heads, key=started_at, default=None)

    def listening(self) -> set[int]:
        """Give the TCP ports on which the instance accepts connections."""
        return {port for process in self.processes for port in listening_ports(process)}

    def paused(self) -> bool:
        """Tell whether the instance is frozen."""
        root = self.root
        return root is not None and _is_stopped(root)

    def freeze(self) -> None:
        """Stop every process where it is, and return when it is so: the signal takes its time to arrive."""
        for process in self.processes:
            _signal(process, signal.SIGSTOP)
        deadline = time.monotonic() + _FREEZE_S
        while any(is_alive(one) and not _is_stopped(one) for one in self.processes):
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_S)

    def thaw(self) -> None:
        """Let a frozen instance go on."""
        for process in self.processes:
            _signal(process, signal.SIGCONT)

    def terminate(self) -> None:
        """Ask the instance to end; a paused one is woken, or it could not hear."""
        if (root := self.root) is not None:
            _signal(root, signal.SIGTERM)
        self.thaw()


def end(groups: Sequence[Group], grace_s: float) -> None:
    """Ask the instances to end and wait; whatever is left after `grace_s` seconds is killed."""
    for group in groups:
        group.terminate()
    roots = [root for group in groups if (root := group.root) is not None]
    wait_gone(roots, grace_s)
    kill([process for group in groups for process in group.processes])


def kill(processes: Sequence[psutil.Process]) -> None:
    """Kill the processes at once and wait until they are gone."""
    for process in sorted(processes, key=started_at):  # parents first, so that none starts a child again
        _signal(process, signal.SIGKILL)
    wait_gone(processes, _KILL_WAIT_S)


def wait_gone(processes: Sequence[psutil.Process], within_s: float) -> bool:
    """Wait until the processes have ended, reaped or not; tell whether they all did."""
    deadline = time.monotonic() + within_s
    left = [process for process in processes if is_alive(process)]
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        left = [process for process in left if is_alive(process)]
    return not left


def is_alive(process: psutil.Process) -> bool:
    """Tell whether this very process still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def listening_ports(process: psutil.Process) -> set[int]:
    """Give the TCP ports on which a process accepts connections; none when it may not be looked into."""
    try:
        connections = process.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return set()
    return {entry.laddr[1] for entry in connections if entry.laddr and entry.status == psutil.CONN_LISTEN}


def started_at(process: psutil.Process) -> float:
    """Give the start of a process, seconds since the epoch; 0 when it is gone."""
    try:
        return process.create_time()
    except psutil.Error:
        return 0.0


def _is_stopped(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return


def _is_daemon(process: psutil.Process) -> bool:
    try:
        return process.name() in _DAEMONS
    except psutil.Error:
        return False


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0
