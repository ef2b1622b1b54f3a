"""Checks of the machine: Python, venv, memory and disk."""

import ctypes
import os
import shutil
import sys
from pathlib import Path
from typing import Optional

from labkit import words
from labkit.doctor.check import Result
from labkit.install import environment, packages, python

GB = 10**9
MEMORY_GB = 4
DISK_GB = 2
USABLE = 0.9  # a machine sold with 4 GB shows less: firmware and graphics keep a part of it

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def check_python() -> Result:
    """Tell whether this Python is new enough."""
    if not python.too_old():
        return Result("Python", ok=True, detail=python.found())
    other = python.newer()
    fix = f"{other} {words.near('labctl.py')}" if other else python.get_command()
    return Result("Python", ok=False, detail=f"{python.NEEDED} is needed; this is {python.found()}", fix=fix)


def check_venv() -> Result:
    """Tell whether this Python can make the kit's own environment."""
    missing = environment.missing_parts()
    if not missing:
        return Result("venv", ok=True, detail="this Python can make environments")
    fix = packages.command(environment.VENV_PACKAGE) or python.get_command()
    return Result("venv", ok=False, detail=f"this Python has no {' and no '.join(missing)}", fix=fix)


def check_memory() -> Result:
    """Tell whether the machine, or the container that this runs in, has enough memory."""
    size = memory_bytes()
    if size is None:
        return Result(
            "memory", ok=None, detail=f"size not known; {MEMORY_GB} GB are needed", fix=_memory_fix()
        )
    detail = f"{size / GB:.1f} GB"
    if size >= MEMORY_GB * GB * USABLE:
        return Result("memory", ok=True, detail=detail)
    return Result("memory", ok=False, detail=f"{detail}; {MEMORY_GB} GB are needed", fix=_memory_fix())


def check_disk() -> Result:
    """Tell whether the disk under the checkout has enough room."""
    free = shutil.disk_usage(str(words.ROOT)).free
    detail = f"{free / GB:.1f} GB free"
    if free >= DISK_GB * GB:
        return Result("disk", ok=True, detail=detail)
    fix = "cleanmgr" if sys.platform == "win32" else f"{words.python()} -m pip cache purge"
    return Result("disk", ok=False, detail=f"{detail}; {DISK_GB} GB are needed", fix=fix)


def memory_bytes() -> Optional[int]:
    """Return the memory of this machine or of the container's limit, or None if nothing tells."""
    if sys.platform == "win32":
        return _windows_memory()
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
    for path in CGROUP_LIMITS:
        try:
            size = min(size, int(Path(path).read_text()))
        except (OSError, ValueError):  # no such file, or "max": no limit
            continue
    return size


def _windows_memory() -> Optional[int]:
    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API: two 32-bit numbers, then seven of 64 bits."""

        _fields_ = (("length", ctypes.c_ulong), ("load", ctypes.c_ulong), ("sizes", ctypes.c_ulonglong * 7))

    status = Status()
    status.length = ctypes.sizeof(Status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - only Windows has this attribute
    return int(status.sizes[0]) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def _memory_fix() -> str:
    return words.command("up --workers 1")
