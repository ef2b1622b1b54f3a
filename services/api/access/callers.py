"""Who makes a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from starlette.requests import HTTPConnection

from services.common.errors import ConfigurationError
from services.common.jobs import Role, User
from services.common.tokens import LABCTL, Claims

CALLER = "lab.caller"
"""Who makes a request: a key of its ASGI scope, set by the gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who was let in, until `expires_at` (since 1970; None: for ever).

    Jobs that they send carry their `user_id`. None is an admin without an account.
    logged_in_at: when they gave their password (since 1970).
    """

    role: Role
    user_id: str | None = None
    username: str | None = None
    version: int = 0
    expires_at: float | None = None
    logged_in_at: float | None = None

    def __post_init__(self) -> None:
        if self.role != "admin" and self.user_id is None:
            raise ConfigurationError("somebody without an account would see the jobs of all")

    @property
    def sees(self) -> str | None:
        """Whose jobs they may see; None: all."""
        return None if self.role == "admin" else self.user_id


EVERYBODY = Caller(role="admin")
"""With LAB_AUTH=off."""


def of_labctl(claims: Claims) -> Caller:
    """Return the stack's own instrument."""
    return Caller(role="admin", username=LABCTL, expires_at=claims.expires_at)


def of_user(user: User, claims: Claims) -> Caller:
    """Return a user who has logged in."""
    return Caller(
        role=user.role,
        user_id=user.user_id,
        username=user.username,
        version=user.version,
        expires_at=claims.expires_at,
        logged_in_at=claims.logged_in_at,
    )


def caller(connection: HTTPConnection) -> Caller:
    """Return who makes this request."""
    return cast("Caller", connection.scope[CALLER])


def address(connection: HTTPConnection) -> str:
    """Return where a request comes from."""
    return connection.client.host if connection.client else "?"
