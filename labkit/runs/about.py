"""What a figure depends on: the machine, the versions, the state of the code, and who writes the run."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import subprocess
import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from labkit.cores import allowed_cores
from labkit.doctor.machine import memory_bytes
from labkit.project import REPOSITORY

PACKAGES = ("aiohttp", "fastapi", "minio", "nanio", "pika", "pillow", "sqlalchemy", "uvicorn")
GIT_S = 5.0
_SAME_START_S = 2.0


def machine() -> dict[str, object]:
    """Return what a figure of this machine depends on. `cores` are those that this process may use."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "processor": processor(),
        "cores": round(allowed_cores(), 2),
        "memory_mb": round((memory_bytes() or 0) / 1e6) or None,
        "python": platform.python_version(),
    }


def processor() -> str:
    """Return the processor's name, or the kind of machine where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def versions(broker: str = "") -> dict[str, str]:
    """Return the versions of what the figures come from; packages that are not installed are left out."""
    found = {"queue-lab": kit_version()} | ({"rabbitmq": broker} if broker else {})
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def kit_version() -> str:
    """Return the version of this kit."""
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def revision(folder: Path = REPOSITORY) -> str | None:
    """Return the commit of the checkout, with "+changes" when files differ from it; None outside of one."""
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    if not commit or not (folder / ".git").exists():
        return None
    return f"{commit}+changes" if _git(folder, "status", "--porcelain", "-uno") else commit


def writer() -> dict[str, float]:
    """Return the mark of this process: its number and its start, seconds since the epoch."""
    return {"pid": os.getpid(), "started": psutil.Process().create_time()}


def alive(wrote: Mapping[str, object] | None) -> bool:
    """Whether the process that `writer` described is still there, on this machine."""
    try:
        pid, started = int(str((wrote or {})["pid"])), float(str((wrote or {})["started"]))
        return math.isclose(psutil.Process(pid).create_time(), started, abs_tol=_SAME_START_S)
    except (KeyError, ValueError, OverflowError, psutil.Error):
        return False


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_S, check=False)  # noqa: S603  (git, fixed words)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
