"""How labctl is let in where users have to log in: it holds the stack's secret, and signs itself a token."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

SHORT_S = 300
LONG_S = 12 * 3600
"""For a connection that stays open: the API ends it with its token."""


@dataclass(frozen=True)
class Pass:
    """The way in of a stack's own instrument; without a secret there is nothing to show."""

    secret: str = field(default="", repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Pass:
        """Return the pass for the LAB_ variables of a stack, as `Runtime.environment` gives them."""
        return cls(environment.get("LAB_JWT_SECRET", ""))

    def headers(self, good_for_s: int = SHORT_S) -> dict[str, str]:
        """Return what a request has to carry."""
        if not self.secret:
            return {}
        return {"Authorization": f"Bearer {_token(self.secret, good_for_s, int(time.time()) // 60)}"}


NOBODY = Pass()


@functools.lru_cache(maxsize=8)
def _token(secret: str, good_for_s: int, _minute: int) -> str:
    """Return a token, a new one each minute."""
    from services.common.tokens import LABCTL, Tokens  # noqa: PLC0415 - slow

    return Tokens(secret).mint(LABCTL, good_for_s)
