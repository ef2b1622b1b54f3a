import re
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import ProjectError

REPOSITORY = Path(__file__).resolve().parents[1]
RUNS = REPOSITORY / "experiments" / "runs"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
_HIGHEST_BASE_PORT = 25_999
_HIGHEST_PORT = 65_535


@dataclass(frozen=True)
class Project:
    """One stack's name, place on disk and shift of all its ports.

    `root` holds the folder `.lab/`; `port_offset` is added to every base port, 0 to 39536.
    Nothing here touches the disk. Raises ProjectError for a bad name or offset.
    """

    name: str = "default"
    root: Path = REPOSITORY
    port_offset: int = 0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ProjectError(
                f"{self.name!r} cannot be the name of a project.",
                "Use up to 31 small letters, digits, _ and -, with a letter or digit first.",
            )
        highest = _HIGHEST_PORT - _HIGHEST_BASE_PORT
        if not 0 <= self.port_offset <= highest:
            raise ProjectError(
                f"A port offset of {self.port_offset} leads to ports that do not exist.",
                f"Use a number from 0 to {highest}.",
            )

    @property
    def state_dir(self) -> Path:
        """Everything this project keeps: state, credentials, data and logs."""
        return self.root.resolve() / ".lab" / self.name

    @property
    def data_dir(self) -> Path:
        """What outlives `down`: the broker's node, the objects, the database."""
        return self.state_dir / "data"

    @property
    def log_dir(self) -> Path:
        """One file an instance."""
        return self.state_dir / "logs"

    @property
    def lock_file(self) -> Path:
        """Held by the command that changes this project; outside `state_dir`, which may be deleted."""
        return self.root.resolve() / ".lab" / f"{self.name}.lock"

    def port(self, base: int) -> int:
        """Give the port that stands for the base port in this project."""
        return base + self.port_offset
