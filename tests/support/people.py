"""An API that has users, and people who use it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from services.common import passwords
from services.common.jobs import JobStore, Role
from services.common.tokens import Tokens
from tests.support.api import Api, answer, picture, running

SECRET = "a-secret-of-the-tests-" + 50 * "x"
PASSWORD = "correct horse battery"  # noqa: S105 - same
TTL_S = 600


@dataclass(frozen=True)
class Person:
    """Somebody with a token, or an empty one for a stranger."""

    api: Api
    token: str = ""
    user_id: str = ""

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401  (any JSON)
        **headers: str,
    ) -> urllib3.BaseHTTPResponse:
        """Send a request with JSON; underscores in header names stand for dashes."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent = {"Authorization": f"Bearer {self.token}", **sent}
        data = None if body is None else json.dumps(body).encode()
        return self.api.http.request(method, self.api.url + path, body=data, headers=sent)

    def get(self, path: str, **headers: str) -> Any:  # noqa: ANN401  (any JSON)
        """Return what is there as JSON."""
        return answer(self.ask("GET", path, **headers))

    def upload(
        self, path: str = "/upload", key: str = "", data: bytes | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Send a picture."""
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Idempotency-Key": key} if key else {})
        fields = {"file": ("photo.jpg", picture() if data is None else data)}
        return self.api.http.request("POST", self.api.url + path, fields=fields, headers=headers)


@dataclass(frozen=True)
class Town:
    """An API with a few people."""

    api: Api
    anna: Person
    ben: Person
    admin: Person
    stranger: Person


def person(api: Api, name: str, role: Role = "user") -> Person:
    """Make an account; its password costs nothing, since nobody asks for it."""
    user = api.table.users.add(name, "no hash", role)
    assert user is not None
    return Person(api, Tokens(SECRET).mint(user.user_id, TTL_S, user.version), user.user_id)


def account(table: JobStore, name: str, role: Role = "user") -> None:
    """Make an account that can be logged in to, with PASSWORD."""
    assert table.users.add(name, passwords.hashed(PASSWORD), role)


@contextlib.contextmanager
def town(folder: Path, **settings: Any) -> Iterator[Town]:  # noqa: ANN401  (as `running` takes them)
    """Serve the API with users while the block runs."""
    with running(folder, auth="required", jwt_secret=SECRET, **settings) as api:
        anna, ben = (person(api, name) for name in ("anna", "ben"))
        yield Town(api, anna, ben, person(api, "boss", "admin"), Person(api))
