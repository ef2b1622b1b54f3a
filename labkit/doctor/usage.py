"""What the running stack takes of the memory. Linux only: from /proc."""

import re
from pathlib import Path
from typing import Optional

from labkit import words
from labkit.doctor.check import Result
from labkit.doctor.holders import PROC, stack_of
from labkit.doctor.project import Project

GB = 10**9
LEAST_FREE_GB = 0.5
KIB = 1024


def check_usage(project: Project) -> Result:
    """Tell how much memory the stack's processes hold, and how much is left for others."""
    free = _free_bytes()
    if free is None:
        return Result("memory in use", ok=None, detail="not known on this system", optional=True)
    own = (folder for folder in PROC.glob("[0-9]*") if stack_of(folder) == str(project.state_dir))
    held = sum(_held_bytes(folder) for folder in own)
    detail = f"{held / GB:.1f} GB by the stack, {free / GB:.1f} GB are left"
    if free >= LEAST_FREE_GB * GB:
        return Result("memory in use", ok=True, detail=detail)
    return Result("memory in use", ok=None, detail=detail, fix=words.command("scale 1"), optional=True)


def _free_bytes() -> Optional[int]:
    return _kib(PROC / "meminfo", "MemAvailable")


def _held_bytes(folder: Path) -> int:
    """Return a process's share of the memory; what several processes share is divided among them."""
    return _kib(folder / "smaps_rollup", "Pss") or _kib(folder / "status", "VmRSS") or 0


def _kib(path: Path, name: str) -> Optional[int]:
    """Return the size that a line such as `Pss:  120 kB` tells, in bytes."""
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:  # gone meanwhile, or another system
        return None
    return int(found.group(1)) * KIB if found else None
