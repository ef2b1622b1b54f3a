"""docker-compose.yml as data: as it is written, and as Compose understands it."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"


@functools.cache
def compose_file() -> dict[str, Any]:
    """Return the file with its anchors resolved, variables as they are written."""
    data: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
    return data


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without settings of the kit and of Compose, plus `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAB_", "COMPOSE_"))}
    return {**kept, **variables}
