"""The users: who may log in, and what they may do. They stay when the jobs are deleted."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

from services.common.jobs.table import metadata
from services.common.passwords import MAX_HASH_CHARS

Role = Literal["user", "admin"]

users = sa.Table(
    "users",
    metadata,
    sa.Column("user_id", sa.String(64), primary_key=True),
    sa.Column("username", sa.String(32), nullable=False, unique=True),
    sa.Column("password_hash", sa.String(MAX_HASH_CHARS), nullable=False),
    sa.Column("role", sa.String(8), nullable=False),
    sa.Column("version", sa.Integer, nullable=False, default=1),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.CheckConstraint("role in ('user', 'admin')", name="role_is_known"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One account. Jobs carry its `user_id`, which no later account of the same name has.

    version: one more with each new password; tokens of an older one are worth nothing.
    """

    user_id: str
    username: str
    password_hash: str = field(repr=False)
    role: Role
    version: int
    created_at: float


class UserStore:
    """The table of users. Methods block; raise `DatabaseUnavailable`."""

    def __init__(
        self, transaction: Callable[[], AbstractContextManager[sa.Connection]], birth: sa.Insert
    ) -> None:
        self._transaction = transaction
        self._birth = birth

    def add(self, username: str, password_hash: str, role: Role) -> User | None:
        """Insert a user, and return it; None when the name is taken."""
        user = User(
            user_id=uuid.uuid4().hex,
            username=username,
            password_hash=password_hash,
            role=role,
            version=1,
            created_at=time.time(),
        )
        row = {name: getattr(user, name) for name in User.__dataclass_fields__}
        with self._transaction() as connection:
            connection.execute(self._birth.values(row))  # how many rows that were, not every driver tells
        return self.get(user.user_id)

    def get(self, user_id: str) -> User | None:
        """Return a user, or None."""
        return self._one(users.c.user_id == user_id)

    def find(self, username: str) -> User | None:
        """Return the user of a name, or None."""
        return self._one(users.c.username == username)

    def list(self) -> Sequence[User]:
        """Return all users by name."""
        with self._transaction() as connection:
            found = connection.execute(sa.select(users).order_by(users.c.username))
            return [_user(row) for row in found.mappings()]

    def set_password(self, username: str, password_hash: str) -> bool:
        """Change a user's password, and end all sessions; tell whether there is such a user."""
        values = {"password_hash": password_hash, "version": users.c.version + 1}
        return self._changed(sa.update(users).where(users.c.username == username).values(values))

    def change_password(self, user: User, password_hash: str) -> bool:
        """Change it as above, unless somebody else did since this `user` was read."""
        values = {"password_hash": password_hash, "version": user.version + 1}
        return self._changed(sa.update(users).where(_unchanged(user)).values(values))

    def rehash(self, user: User, password_hash: str) -> bool:
        """Keep the same password in another way, unless it was changed meanwhile."""
        return self._changed(sa.update(users).where(_unchanged(user)).values(password_hash=password_hash))

    def remove(self, username: str) -> bool:
        """Delete a user; their jobs stay, and are the admin's."""
        return self._changed(sa.delete(users).where(users.c.username == username))

    def _one(self, where: sa.ColumnElement[bool]) -> User | None:
        with self._transaction() as connection:
            found = connection.execute(sa.select(users).where(where))
            return next(map(_user, found.mappings()), None)

    def _changed(self, statement: sa.Executable) -> bool:
        with self._transaction() as connection:
            result: Any = connection.execute(statement)
            return bool(result.rowcount)


def _unchanged(user: User) -> sa.ColumnElement[bool]:
    return (users.c.user_id == user.user_id) & (users.c.version == user.version)


def _user(found: sa.RowMapping) -> User:
    return User(**{name: found[name] for name in User.__dataclass_fields__})
