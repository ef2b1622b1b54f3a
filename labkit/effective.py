"""The settings that are in force, and where each comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from labkit.control.reset import DEFAULTS
from labkit.runtime.base import Runtime
from labkit.settings import LabSettings, program_settings
from services.common.settings import (
    BrokerSettings,
    LayoutSettings,
    LimitSettings,
    StorageSettings,
    TargetSettings,
)

MASK = "***"

# Each runtime provides these itself.
_PROVIDED = ("amqp_url", "s3_endpoint", "s3_access_key", "s3_secret_key")

_PROGRAMS = (BrokerSettings, StorageSettings, LayoutSettings, LimitSettings, TargetSettings)
_SECRET = re.compile(r"SECRET|PASSWORD|TOKEN(?!_TTL)|COOKIE")
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^:/@]*):[^@]*(?=@)")


@dataclass(frozen=True)
class Setting:
    """One variable: its value with secrets masked, and its source ("default", "yours" or "stack")."""

    name: str
    value: str
    source: str


def effective(own: LabSettings, runtime: Runtime) -> list[Setting]:
    """Return labctl's own settings, then those of the programs; of a running stack as it has them."""
    own_rows = [
        Setting(f"LAB_{name.upper()}", str(value), "yours" if name in own.model_fields_set else "default")
        for name, value in own
    ]
    layers = {"default": _defaults(), "yours": program_settings(), "stack": _of_stack(runtime)}
    merged: dict[str, Setting] = {}
    for source, variables in layers.items():
        for name, value in variables.items():
            if name not in merged or merged[name].value != masked(name, value):
                merged[name] = Setting(name, masked(name, value), source)
    return own_rows + [merged[name] for name in sorted(merged)]


def masked(name: str, value: str) -> str:
    """Hide a secret, and the password in a URL."""
    if _SECRET.search(name):
        return MASK
    return _PASSWORD_IN_URL.sub(rf"\1:{MASK}", value)


def _of_stack(runtime: Runtime) -> Mapping[str, str]:
    return runtime.environment() if runtime.instances() else {}


def _defaults() -> dict[str, str]:
    found = {
        f"LAB_{name.upper()}": str(field.default)
        for kind in _PROGRAMS
        for name, field in kind.model_fields.items()
        if name not in _PROVIDED
    }
    return {**found, "LOG_LEVEL": "INFO", **DEFAULTS.environment()}
