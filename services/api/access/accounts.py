"""The accounts, and their passwords. Hashing is slow on purpose, so little of it goes on at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from services.api.errors import ApiError
from services.api.rows import Rows
from services.common import passwords
from services.common.errors import DatabaseUnavailable
from services.common.jobs import Role, User
from services.common.tokens import LABCTL

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Hashes computed at a time; each takes 64 MiB."""
MAX_WAITING = 200
"""Whoever comes later is sent away: by then it takes longer than anybody waits for an answer."""
LATER_S = 10
ADMIN = "admin"
RESERVED = (ADMIN, LABCTL)
"""Names that nobody gets by registering."""
RETRY_S = 1.0

ResultT = TypeVar("ResultT")


class Accounts:
    """The users of the API. Raises an `ApiError`, or `DatabaseUnavailable`."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._hashers = ThreadPoolExecutor(AT_ONCE, "password")
        self._waiting = 0

    async def register(self, username: str, password: str) -> User:
        """Make an account."""
        if why := passwords.wrong_name(username):
            raise ApiError("bad_field", f"username: {why}")
        if why := passwords.weakness(password, username):
            raise ApiError("weak_password", why)
        user = None if username in RESERVED else await self._add(username, password, "user")
        if user is None:
            raise ApiError("user_exists", f"there is a user {username} already")
        log.info("user_registered", extra={"user": username})
        return user

    async def login(self, username: str, password: str) -> User | None:
        """Return the user of a name and a password; for all that is wrong None, after the same time."""
        # A name that nobody can have is not looked up: PostgreSQL refuses one with a zero byte.
        known = not passwords.wrong_name(username)
        user = await self._rows.read_users(lambda users: users.find(username)) if known else None
        kept = user.password_hash if user else None
        if not await self._hash(lambda: passwords.matches(kept, password)) or user is None:
            return None
        if passwords.outdated(user.password_hash):
            fresh = await self._hash(lambda: passwords.hashed(password))
            await self._rows.write_users(lambda users: users.rehash(user, fresh))
        return user

    async def change_password(self, username: str, password: str, fresh: str) -> User | None:
        """Give a user who knows their `password` another, which ends all sessions; None as in `login`."""
        user = await self.login(username, password)
        if user is None:
            return None
        if why := passwords.weakness(fresh, username):
            raise ApiError("weak_password", why)
        if fresh == password:
            raise ApiError("weak_password", "it is the one that you have")
        kept = await self._hash(lambda: passwords.hashed(fresh))
        if not await self._rows.write_users(lambda users: users.change_password(user, kept)):
            return None
        log.info("password_changed", extra={"user": username})
        return replace(user, version=user.version + 1)

    async def keep_admin(self, password: str) -> None:
        """Make the user `admin` as soon as the database answers, unless there is one."""
        while True:
            try:
                known = await self._rows.read_users(lambda users: users.find(ADMIN))
                if known is None and await self._add(ADMIN, password, "admin"):
                    log.info("user_registered", extra={"user": ADMIN})
            except DatabaseUnavailable as error:
                log.warning("admin_delayed", extra={"error": str(error), "retry_in_s": RETRY_S})
                await asyncio.sleep(RETRY_S)
            else:
                return

    def close(self) -> None:
        """Let what is under way end."""
        self._hashers.shutdown(wait=False, cancel_futures=True)

    async def _add(self, username: str, password: str, role: Role) -> User | None:
        kept = await self._hash(lambda: passwords.hashed(password))
        return await self._rows.write_users(lambda users: users.add(username, kept, role))

    async def _hash(self, call: Callable[[], ResultT]) -> ResultT:
        if self._waiting >= MAX_WAITING:
            raise ApiError("too_often", "too many people log in at the moment", retry_after_s=LATER_S)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._hashers, call)
        finally:
            self._waiting -= 1
