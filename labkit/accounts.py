"""The users of a stack, as whoever runs it makes and removes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from labkit.access import Access
from labkit.errors import BadValue, UnknownName
from labkit.words import command
from services.common import passwords

if TYPE_CHECKING:
    from services.common.jobs import User
    from services.common.jobs.users import UserStore


def add(access: Access, username: str, password: str, *, admin: bool) -> None:
    """Make an account. Raises BadValue."""
    if why := passwords.wrong_name(username):
        raise BadValue(f"{username!r} is no name for a user.", f"Choose another: {why}.")
    kept = _hashed(username, password)
    with _users(access) as users:
        if users.add(username, kept, "admin" if admin else "user") is None:
            raise BadValue(
                f"There is a user {username} already.",
                f"Choose another name, or: {command(f'user password {username}')}",
            )


def listed(access: Access) -> Sequence[User]:
    """Return all accounts by name."""
    with _users(access) as users:
        return users.list()


def set_password(access: Access, username: str, password: str) -> None:
    """Change a password, and end all sessions of its user. Raises BadValue and UnknownName."""
    kept = _hashed(username, password)
    with _users(access) as users:
        if not users.set_password(username, kept):
            raise _unknown(username, users)


def remove(access: Access, username: str) -> None:
    """Delete an account; its jobs stay, for admins to see. Raises UnknownName."""
    with _users(access) as users:
        if not users.remove(username):
            raise _unknown(username, users)


@contextlib.contextmanager
def _users(access: Access) -> Iterator[UserStore]:
    with contextlib.closing(access.jobs()) as table:
        yield table.users


def _hashed(username: str, password: str) -> str:
    if why := passwords.weakness(password, username):
        raise BadValue(f"This password will not do: {why}.", "Choose another one.")
    return passwords.hashed(password)


def _unknown(username: str, users: UserStore) -> UnknownName:
    return UnknownName.of("user", username, [user.username for user in users.list()])
