"""class.toml: what an instructor pins for a class. It lies beside labctl.py; without it there is no class."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit.errors import BadValue
from labkit.project import REPOSITORY

PATH = REPOSITORY / "class.toml"


class ClassFile(BaseModel):
    """What class.toml says; a name that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: str = Field(default="", description="the class; it stands on the pages that are handed in")
    runtime: Literal["auto", "local", "docker"] = Field(
        default="auto", description="what runs the stack, unless a student says otherwise"
    )
    broker: str = Field(
        default="", pattern=r"^\d*(\.\d+)*$", description="version of RabbitMQ: 4.3 means any 4.3.x"
    )
    labs: tuple[str, ...] = Field(default=(), description="numbers of the labs of this class; without: all")
    hide_spoilers: bool = Field(
        default=True, description="demo does not show the throughput that lab 02 asks for"
    )

    def has(self, lab: str) -> bool:
        """Tell whether the lab, by its folder's name, is one of this class."""
        return not self.labs or any(lab == said or lab.startswith(f"{said}-") for said in self.labs)

    def accepts(self, version: str) -> bool:
        """Tell whether this version of RabbitMQ is the pinned one."""
        return not self.broker or f"{version}.".startswith(f"{self.broker}.")


def load(path: Path = PATH) -> ClassFile | None:
    """Read class.toml; None when there is none. Raises BadValue that names the field."""
    try:
        return ClassFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadValue(f"{path.name} cannot be read: {error}.", "Mend the file.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise BadValue(f"{path.name}: {where}: {first['msg']}.", "Mend the file.") from error
