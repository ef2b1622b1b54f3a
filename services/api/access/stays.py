"""How long somebody stays who was let in, on a connection that does not end by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from services.api.access.callers import Caller
from services.common.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

LOOK_S = 5.0
"""How often it is looked whether an account is still what it was."""

EXPIRED = "The token has expired; log in, then connect again."
GONE = "The account is gone, or has another password; log in, then connect again."

Versions = Callable[[], Awaitable[Mapping[str, int]]]
"""Asks for the version of each account, by its user_id. Raises `DatabaseUnavailable`."""

ItemT = TypeVar("ItemT")


class StayOver(Exception):
    """Somebody may not stay longer; it says why."""


class Stay:
    """The stay of one caller on one connection."""

    def __init__(self, who: Caller) -> None:
        self.who = who
        self._until = who.expires_at
        self._reason = EXPIRED
        self._timer: asyncio.Timeout | None = None

    def end(self) -> None:
        """End it now: the account has changed."""
        self._until, self._reason = 0.0, GONE
        if self._timer is not None:
            self._timer.reschedule(0.0)

    async def during(self, items: AsyncIterator[ItemT]) -> AsyncIterator[ItemT]:
        """Give on what comes while it lasts; raise `StayOver` then."""
        while True:
            left_s = None if self._until is None else self._until - time.time()
            try:
                async with asyncio.timeout(left_s) as self._timer:
                    found = await anext(items)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise StayOver(self._reason) from None
            finally:
                self._timer = None
            yield found


async def look_after(stays: Callable[[], Iterable[Stay]], versions: Versions) -> None:
    """End the stays of accounts that are gone or have another password, for ever."""
    while True:
        await asyncio.sleep(LOOK_S)
        if not any(stay.who.user_id for stay in stays()):
            continue
        try:
            known = await versions()
        except DatabaseUnavailable as error:
            log.warning("accounts_delayed", extra={"error": str(error), "retry_in_s": LOOK_S})
            continue
        for stay in stays():
            if stay.who.user_id and known.get(stay.who.user_id) != stay.who.version:
                stay.end()
