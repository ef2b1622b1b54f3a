"""CPU time by instance, children included: local runtime only, where an instance's id is a process id."""

from __future__ import annotations

from collections.abc import Mapping

import psutil

from labkit.runtime.base import Runtime


def cpu_seconds(runtime: Runtime) -> dict[str, float]:
    """Return the CPU seconds that each service has used since it started, all its instances together."""
    found: dict[str, float] = {}
    for instance in runtime.instances():
        used = _used(int(instance.id)) if instance.id.isdecimal() else 0.0
        found[instance.service] = found.get(instance.service, 0.0) + used
    return found


def memory_bytes(runtime: Runtime) -> dict[str, int]:
    """Return the resident memory of each instance, children included."""
    return {stats.instance: stats.rss_bytes for stats in runtime.stats()}


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what was used between two measurements."""
    return {service: after[service] - before.get(service, 0.0) for service in after}


def _used(pid: int) -> float:
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(_own(member) for member in family)


def _own(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
