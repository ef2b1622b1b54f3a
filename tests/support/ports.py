"""Ports of a test's own."""

from __future__ import annotations

import functools
import random
import socket
from contextlib import suppress

from labkit.doctor.ports import NO_BROWSER
from labkit.stack import DOCKER_SERVICES

_STEP = 20
_HIGHEST = 6_900  # above, ports meet those that the system gives to outgoing connections
_REPLICAS = 5  # replicas count up from their service's port

_LANES = 4
_CLAIM = 23_001  # a listener on one of these ports, which no stack uses, says that a lane is taken


def free_offset() -> int:
    """Return a port offset with which every port of a stack is free at this moment.

    A stack takes its ports seconds later. So processes that test at the same time choose from offsets of
    which no two share a port.
    """
    offsets = list(_offsets(_lane()))
    random.shuffle(offsets)
    return next(offset for offset in offsets if all(map(_is_free, _main_ports(offset))))


@functools.cache
def _lane() -> int:
    """Return this process's own lane, as long as there is one left."""
    for lane in range(_LANES):
        with suppress(OSError):
            _claims.append(socket.create_server(("127.0.0.1", _CLAIM + lane)))
            return lane
    return random.randrange(_LANES)


_claims: list[socket.socket] = []


@functools.cache
def _offsets(lane: int) -> tuple[int, ...]:
    """Deal the offsets out to all lanes; what would share a port with another lane is left out."""
    dealt: list[list[int]] = [[] for _ in range(_LANES)]
    taken: list[set[int]] = [set() for _ in range(_LANES)]
    for offset in range(_STEP, _HIGHEST, _STEP):
        poorest = min(range(_LANES), key=lambda lane: len(dealt[lane]))
        ports = {port + replica for port in _main_ports(offset) for replica in range(_REPLICAS)}
        if NO_BROWSER.isdisjoint(ports) and all(
            ports.isdisjoint(others) for number, others in enumerate(taken) if number != poorest
        ):
            dealt[poorest].append(offset)
            taken[poorest] |= ports
    return tuple(dealt[lane])


def _main_ports(offset: int) -> list[int]:
    """Return the stack's ports, of both runtimes."""
    bases = {
        base for service in DOCKER_SERVICES for port in service.ports for base in (port.base, port.docker)
    }
    return [base + offset for base in bases if base]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
