"""docker-compose.yml as data: as it is written, and as Compose understands it."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"

_DEFAULTED = re.compile(r"\$\{([A-Z]\w*):-([^}]*)\}")


@functools.cache
def compose_file() -> dict[str, Any]:
    """Return the file with its anchors resolved, variables as they are written."""
    data: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
    return data


def defaults() -> dict[str, str]:
    """Return the variables that the file puts in, each with its one default."""
    found: dict[str, str] = {}
    for name, default in _DEFAULTED.findall(COMPOSE_FILE.read_text()):
        if found.setdefault(name, default) != default:
            raise ValueError(f"{name} has the defaults {found[name]} and {default}")
    return found


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without settings of the kit and of Compose, plus `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAB_", "COMPOSE_"))}
    return {**kept, **variables}


def memory_bytes(text: str) -> int:
    """Return the bytes of a size as Compose and RabbitMQ write it: 768m, 768MiB."""
    number = text.lower().removesuffix("ib")
    factor: int = 1024 ** ("kmg".index(number[-1]) + 1)
    return int(number[:-1]) * factor
