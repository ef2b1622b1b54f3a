from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from services.worker.processors import arguments
from services.worker.processors.geometry import Size
from services.worker.processors.operation import Operation

_MAX_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Sleep(Operation):
    """Change nothing and take a known time: for labs that predict what a queue does."""

    name = "sleep"
    usage = "sleep,3"

    seconds: float = 1

    @classmethod
    def parse(cls, seconds: str = "1") -> Self:
        """Read up to 60 seconds."""
        return cls(arguments.number(seconds, 0, _MAX_SECONDS))

    def shrink(self, size: Size) -> None:
        """Return None: no pixel changes."""

    @property
    def pause_s(self) -> float:
        """Time asked for, seconds."""
        return self.seconds
