"""A machine of round figures."""

from __future__ import annotations


class RoundMachine:
    """Two cores; every operation takes 100 ms."""

    @property
    def cores(self) -> float:
        """Two, less what sharing costs."""
        return 1.9

    def service_s(self, picture: str, operations: str) -> float:
        """Return 0.1."""
        del picture, operations
        return 0.1

    def parallel(self, processes: int) -> float:
        """Return what two cores can do."""
        return min(processes, self.cores)
