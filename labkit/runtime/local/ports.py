import errno
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import psutil

from labkit.doctor.ports import NO_BROWSER
from labkit.errors import PortTaken
from labkit.project import Project
from labkit.runtime.local.processes import listening_ports, stack_of
from labkit.stack import Service, instance_number

HOST = "127.0.0.1"

# Higher ones would move ports to where the system takes its own for outgoing connections.
_OFFSETS = range(100, 6_900, 100)
_CONNECT_S = 0.5


def check_ports(wanted: Mapping[int, str], offset: int) -> None:
    """Refuse ports that cannot be used. `wanted` maps a port to the instance that needs it.

    Raises PortTaken, which names the holder and an offset with which all these ports are free.
    """
    taken = [port for port in wanted if is_taken(port)]
    if taken:
        raise refusal(taken[0], wanted[taken[0]], holder, [number - offset for number in wanted])


def refusal(port: int, needed_by: str, find: Callable[[int], str], bases: Iterable[int]) -> PortTaken:
    """Say why the port cannot be used, and which offset would do. `find` says who holds it."""
    shift = f"labctl up --port-offset {free_offset(bases)}"
    if port in NO_BROWSER:
        return PortTaken(
            f"Port {port}, needed by {needed_by}, is one that no browser opens.", f"Use: {shift}"
        )
    return PortTaken(
        f"Port {port}, needed by {needed_by}, is held by {find(port)}.",
        f"End that program, or shift all ports: {shift}",
    )


def is_taken(port: int) -> bool:
    """Tell whether the port cannot be listened on, or would be of no use to a browser."""
    if port in NO_BROWSER:
        return True
    with socket.socket() as probe:
        probe.settimeout(_CONNECT_S)
        # On macOS one may bind 127.0.0.1 beside a listener on all addresses, so ask for a listener first.
        if probe.connect_ex((HOST, port)) == 0:
            return True
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def free_offset(bases: Iterable[int], offsets: Iterable[int] = _OFFSETS) -> int:
    """Find the first offset with which no base port is taken; 0 when there is none."""
    needed = list(bases)
    return next((offset for offset in offsets if not any(is_taken(base + offset) for base in needed)), 0)


def holder(port: int) -> str:
    """Say in words which process listens on the port."""
    pid = _listener(port)
    if pid is None:
        return "another user's program"
    try:
        process = psutil.Process(pid)
        name = process.name()
    except psutil.Error:
        return f"pid {pid}"
    stack, instance = stack_of(process)
    if stack:
        return f"{instance} of the project {Path(stack).name!r} (pid {pid})"
    return f"{name} (pid {pid})"


def _listener(port: int) -> int | None:
    """Find who listens by looking at each process: only this works without rights on every system."""
    return next((process.pid for process in psutil.process_iter() if port in listening_ports(process)), None)


def instance_ports(project: Project, service: Service, name: str) -> tuple[int, ...]:
    """Give the fixed ports of an instance, the main one first; replicas count up from the first."""
    shift = instance_number(name) - 1
    return tuple(project.port(port.base) + shift for port in service.ports)
