"""Which project is looked at: its name, its ports, and the state that its runtime keeps."""

import json
import os
from typing import Any, Dict, Iterator, NamedTuple, Optional, Set

from labkit import words
from labkit.errors import LabError

PORTS = {
    "api": 8000,
    "tracker": 8090,
    "notifier": 8091,
    "object store": 9000,
    "rabbitmq": 5772,
    "management": 15772,
    "metrics": 15792,
}  # before the offset; the last three are the private RabbitMQ's


class Project(NamedTuple):
    """One stack of this checkout: its state lies in .lab/<name>/."""

    name: str
    offset: int
    pids: Set[int]  # processes that its runtime has started

    def port(self, service: str) -> int:
        """Return the port of `service`, offset included."""
        return PORTS[service] + self.offset


def read_project(name: Optional[str] = None, offset: Optional[int] = None) -> Project:
    """Return the project that is asked for; what is None comes from LAB_PROJECT and LAB_PORT_OFFSET.

    Without any offset, it is that of the running stack. Raises LabError.
    """
    name = name or os.environ.get("LAB_PROJECT") or "default"
    state = _state(name)
    if offset is None:
        offset = _offset(os.environ.get("LAB_PORT_OFFSET") or state.get("port_offset") or 0)
    return Project(name, offset, set(_pids(state.get("pids"))))


def _state(name: str) -> Dict[str, Any]:
    try:
        state = json.loads((words.ROOT / ".lab" / name / "state.json").read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _offset(value: object) -> int:
    try:
        offset = int(str(value))
    except ValueError:
        offset = -1
    if not 0 <= offset <= 65535 - max(PORTS.values()):
        raise LabError(
            f"LAB_PORT_OFFSET is {value!r}, which is not a number from 0 to {65535 - max(PORTS.values())}.",
            "Take it away: unset LAB_PORT_OFFSET",
        )
    return offset


def _pids(value: object) -> Iterator[int]:
    """Find the process ids in `value`: {"api-1": 123}, {"api-1": {"pid": 123, …}} or a list of either."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, dict):
        for inner in [value["pid"]] if "pid" in value else value.values():
            yield from _pids(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pids(inner)
