"""How many cores this process may use: a container's limits, not those of the machine around it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
BUSY = 1.5
"""Programs for each core above which figures suffer."""


def allowed_cores(root: Path = CGROUP, own: Path = OWN_CGROUP) -> float:
    """Return the smallest of: cores of the machine, this process's affinity, the CPU quotas of its cgroups.

    A quota need not be whole: 1.5 means three halves of a core's time.
    """
    limits = [float(os.cpu_count() or 1)]
    if hasattr(os, "sched_getaffinity"):
        limits.append(float(len(os.sched_getaffinity(0))))
    return min([*limits, *quotas(root, own)])


def programs() -> float | None:
    """Return how many programs have wanted a core in the last minute; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def is_busy(waiting: float | None, cores: float) -> bool:
    """Whether so many programs at once, beside what is measured, spoil its figures."""
    return waiting is not None and waiting > BUSY * cores


def quotas(root: Path = CGROUP, own: Path = OWN_CGROUP) -> list[float]:
    """Return the CPU quotas, in cores, of this process's cgroup and of all above it; version 1 and 2.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max) and
    https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us).
    """
    return [quota for folder in _folders(root, own) if (quota := _quota(folder)) is not None]


def _folders(root: Path, own: Path) -> Iterator[Path]:
    """Give each folder in which a limit of this process may stand, once."""
    seen = set()
    for base, path in _places(root, own):
        for relative in (path, *Path(path).parents):
            folder = base / str(relative).lstrip("/")
            if folder not in seen:
                seen.add(folder)
                yield folder


def _places(root: Path, own: Path) -> Iterator[tuple[Path, str]]:
    # A container often sees its own limits at the root, whatever path it is told.
    yield from ((base, "/") for base in (root, root / "unified", root / "cpu", root / "cpu,cpuacct"))
    for line in (_text(own) or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield root, path
            yield root / "unified", path
        elif "cpu" in controllers.split(","):
            yield root / "cpu", path
            yield root / controllers, path


def _quota(folder: Path) -> float | None:
    if (line := _text(folder / "cpu.max")) is not None:
        quota, _, period = line.strip().partition(" ")
        return _ratio(quota, period or "100000")
    return _ratio(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _ratio(quota: str | None, period: str | None) -> float | None:
    """Return the cores; None without a limit, which is written as `max` or -1."""
    try:
        cores = int(quota or "") / int(period or "")
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
