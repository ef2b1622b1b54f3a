"""Who looks: an identity for each browser that has logged in. Tokens stay in this process's memory.

The API decides who may do what. Here is only kept which token belongs to which cookie: a restart of the
dashboard means to log in again.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from services.dashboard.client import Api, ApiRefused

EARLY = 0.25
"""Share of a token's time that is left when it is renewed."""
REFUSED_S = 5.0
"""How long a token that could not be renewed is not asked for again."""
MAX_IDENTITIES = 1000

EVERYBODY = ""
"""The key of who has not logged in: with LAB_AUTH=off everybody sees everything."""


@dataclass(slots=True)
class Identity:
    """Whose browser it is; `token` is what the API gave for the password."""

    key: str
    username: str
    role: str
    token: str = field(repr=False)
    renew_at: float = 0.0
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    @property
    def admin(self) -> bool:
        """Whether queues, workers, faults and dead letters may be seen."""
        return self.role == "admin"


class Sessions:
    """The identities by their keys; a key is a random word in a signed cookie."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[str, Identity] = {}

    def of(self, key: str) -> Identity | None:
        """Return who has this key."""
        return self._known.get(key)

    async def login(self, username: str, password: str, address: str) -> Identity:
        """Return a new identity; raise `ApiRefused` when the password is wrong, or too many were tried."""
        api = self._api.asked_from(address)
        found = await api.send("POST", "/auth/login", {"username": username, "password": password})
        key = uuid.uuid4().hex
        identity = Identity(key, found["username"], found["role"], "")
        _renew(identity, found)
        while len(self._known) >= MAX_IDENTITIES:
            self._known.pop(next(iter(self._known)))
        self._known[key] = identity
        return identity

    async def register(self, username: str, password: str, address: str) -> None:
        """Make an account; raise `ApiRefused` when the name is taken or the password too weak."""
        await self._api.asked_from(address).send(
            "POST", "/auth/register", {"username": username, "password": password}
        )

    def forget(self, key: str) -> None:
        """Forget an identity, and with it the only copy of its token."""
        self._known.pop(key, None)

    def api_of(self, identity: Identity) -> Api:
        """Return the API as this identity asks it; its token is renewed before it ends."""

        async def bearer() -> str:
            async with identity.renewing:
                if time.time() > identity.renew_at:
                    await self._refresh(identity)
            return identity.token

        return self._api.acting_for(bearer)

    async def _refresh(self, identity: Identity) -> None:
        try:
            _renew(identity, await self._acting(identity).send("POST", "/auth/refresh"))
        except ApiRefused:
            # The next request is refused as well, and that leads to the login page.
            identity.renew_at = time.time() + REFUSED_S

    def _acting(self, identity: Identity) -> Api:
        async def bearer() -> str:
            return identity.token

        return self._api.acting_for(bearer)


def _renew(identity: Identity, found: dict[str, Any]) -> None:
    identity.token = found["access_token"]
    identity.renew_at = time.time() + found["expires_in"] * (1 - EARLY)
