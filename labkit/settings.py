"""labctl's own settings, and the one place where the instrument reads the environment."""

import os
from typing import Literal

from dotenv import dotenv_values
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from labkit.project import REPOSITORY

ENV_FILE = REPOSITORY / ".env"

# Left behind by other programs of the same kind, these would bend the private node and the object store.
_FOREIGN = ("LAB_", "LOG_LEVEL", "RABBITMQ_", "ERL_", "NANIO_", "NOTIFY_SOCKET")


class LabSettings(BaseSettings):
    """What every labctl command starts from."""

    model_config = SettingsConfigDict(
        env_prefix="LAB_", env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True
    )

    project: str = Field(default="default", description="name of the stack; several run side by side")
    port_offset: int = Field(default=0, description="added to every port")
    runtime: Literal["auto", "local", "docker"] = Field(default="auto", description="what runs the stack")
    debug: bool = Field(default=False, description="show where an error came from")


def program_settings() -> dict[str, str]:
    """Give the variables set by the user that are meant for the programs: LAB_… (not labctl's), LOG_LEVEL."""
    own = {"LAB_DOOR", *(f"LAB_{field.upper()}" for field in LabSettings.model_fields)}
    merged = {**dotenv_values(ENV_FILE), **os.environ}
    return {
        name: value
        for name, value in merged.items()
        if value is not None and name not in own and (name.startswith("LAB_") or name == "LOG_LEVEL")
    }


def base_environment() -> dict[str, str]:
    """Give the environment that every process of a local stack inherits: paths, language, certificates."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
