"""Ports of a test's own."""

from __future__ import annotations

import random
import socket

from labkit.stack import SERVICES

_STEP = 20  # room for replicas, which count up from their service's port
_HIGHEST = 6_900  # above, ports meet those that the system gives to outgoing connections


def free_offset() -> int:
    """Return a port offset with which every port of a stack is free at this moment."""
    offsets = list(range(_STEP, _HIGHEST, _STEP))
    random.shuffle(offsets)
    bases = [port.base for service in SERVICES for port in service.ports]
    return next(offset for offset in offsets if all(_is_free(base + offset) for base in bases))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
