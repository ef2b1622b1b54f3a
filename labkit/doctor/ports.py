"""Checks that the stack's ports are free, or held by the stack itself."""

import errno
import socket
import sys
from typing import List, Optional

from labkit import words
from labkit.doctor.check import Result, only_noted
from labkit.doctor.holders import holder
from labkit.doctor.project import HIGHEST_OFFSET, Project

HOST = "127.0.0.1"
OFFSET_STEP = 100

# https://fetch.spec.whatwg.org/#port-blocking, those that an offset leads to.
NO_BROWSER = frozenset((5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080))


def check_ports(project: Project, *, up: bool) -> List[Result]:
    """Check each port of the project; `up` says that its stack answers.

    Who holds a port of something that was not asked for is worth a note.
    """
    results = []  # type: List[Result]
    for service in project.ports:
        spare = project.may_lack(service)
        result = check_port(service, project, up=up and not spare)
        results += only_noted([result]) if spare else [result]
    return results


def check_port(service: str, project: Project, *, up: bool) -> Result:
    """Tell whether the port of `service` is free for it, and who holds it if not."""
    port = project.port(service)
    name = f"port {port} {service}"
    if port in NO_BROWSER:
        fix = words.command(f"up --port-offset {free_offset(project)}")
        return Result(name, ok=False, detail="no browser opens this port", fix=fix)
    free = is_free(port)
    if free:
        return Result(name, ok=True, detail="free")
    who = holder(port)
    own = who is not None and who.stack == str(project.state_dir)
    if up or own:
        shown = f": {who._replace(stack='')}" if who else ""
        return Result(name, ok=True, detail=f"held by the running stack{shown}")
    fix = words.command(f"up --port-offset {free_offset(project)}")
    if free is None:
        return Result(name, ok=None, detail="this system does not allow a test", fix=fix)
    return Result(name, ok=False, detail=f"held by {who or 'another program'}", fix=fix)


def is_free(port: int) -> Optional[bool]:
    """Tell whether a server may listen on the port; None if the system refuses to tell."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as probe:
        if sys.platform != "win32":  # there, it would take the port away from its holder
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return False if error.errno == errno.EADDRINUSE else None
    return True


def free_offset(project: Project) -> int:
    """Return the project's next offset at which all ports are free."""
    for offset in range(project.offset + OFFSET_STEP, HIGHEST_OFFSET, OFFSET_STEP):
        found = project._replace(offset=offset).ports.values()
        if NO_BROWSER.isdisjoint(found) and all(map(is_free, found)):
            return offset
    return 0
