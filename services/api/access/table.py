"""The table of who may ask for which route. A route that it does not name keeps the API from starting.

With LAB_AUTH=off whoever reaches the API is its admin, and the table lets everybody through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Literal

from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import BaseRoute, Route

from services.common.errors import ConfigurationError

SOCKET = "WEBSOCKET"
"""Stands for the method of a WebSocket."""


class Need(Enum):
    """What a caller has to be, unless it is an admin."""

    NOTHING = "anyone"
    USER = "a user"
    OWNER = "its owner"
    ADMIN = "an admin"


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may ask for a route, and which rate it counts for.

    An owner's route names what is owned in its path: {job_id}, {batch_id} or {image_id}.
    """

    need: Need
    rate: Literal["", "upload"] = ""


ANYONE = Rule(Need.NOTHING)
USER = Rule(Need.USER)
OWNER = Rule(Need.OWNER)
ADMIN = Rule(Need.ADMIN)
SENDS = Rule(Need.USER, "upload")
SENDS_AGAIN = Rule(Need.OWNER, "upload")

RULES: Mapping[tuple[str, str], Rule] = MappingProxyType(
    {
        ("GET", "/"): ANYONE,
        ("GET", "/health"): ANYONE,
        ("GET", "/live"): ANYONE,
        ("GET", "/metrics"): ANYONE,
        ("GET", "/openapi.json"): ANYONE,
        ("POST", "/webhook/sns"): ANYONE,  # it looks at signatures
        ("POST", "/auth/register"): ANYONE,
        ("POST", "/auth/login"): ANYONE,
        ("POST", "/auth/logout"): ANYONE,  # it only takes a cookie away
        ("POST", "/auth/refresh"): USER,
        ("POST", "/auth/password"): USER,
        ("GET", "/auth/me"): USER,
        ("POST", "/upload"): SENDS,
        ("POST", "/upload/batch"): SENDS,
        ("POST", "/upload/url"): SENDS,
        ("POST", "/api/upload"): SENDS,
        ("POST", "/produce"): SENDS,
        ("POST", "/batch-produce"): SENDS,
        ("GET", "/jobs"): USER,
        ("GET", "/events"): USER,
        (SOCKET, "/ws"): USER,
        ("POST", "/upload/{job_id}/complete"): OWNER,
        ("GET", "/batches/{batch_id}"): OWNER,
        ("GET", "/status/{job_id}"): OWNER,
        ("GET", "/jobs/{job_id}"): OWNER,
        ("GET", "/jobs/{job_id}/webhooks"): OWNER,
        ("GET", "/jobs/{job_id}/original"): OWNER,
        ("GET", "/jobs/{job_id}/{name}"): OWNER,
        ("POST", "/jobs/{job_id}/retry"): SENDS_AGAIN,
        ("GET", "/api/images/{image_id}"): OWNER,
        ("GET", "/api/thumbnails/{image_id}"): OWNER,
        ("GET", "/operations"): USER,
        ("GET", "/operations/check"): USER,
        ("GET", "/queues"): ADMIN,
        ("GET", "/workers"): ADMIN,
        ("GET", "/faults"): ADMIN,
        ("GET", "/dlq"): ADMIN,
        ("GET", "/dlq/stats"): ADMIN,
        ("GET", "/dlq/{job_id}"): ADMIN,
        ("POST", "/dlq/replay"): ADMIN,
        ("DELETE", "/dlq"): ADMIN,
    }
)


def names(route: BaseRoute) -> list[tuple[str, str]]:
    """Return the keys that a route has in the table. Raises `ConfigurationError`."""
    if isinstance(route, APIWebSocketRoute):
        return [(SOCKET, route.path)]
    if isinstance(route, Route) and route.methods:
        return [(method, route.path) for method in sorted(route.methods) if method != "HEAD"]
    raise ConfigurationError(f"{route!r} is of a kind that services/api/access/table.py cannot guard")


def check(routes: Iterable[BaseRoute]) -> None:
    """Raise `ConfigurationError` unless the table names all routes, and the gate stands before them."""
    for route in routes:
        for name in names(route):
            rule = RULES.get(name)
            what = " ".join(name)
            if rule is None:
                raise ConfigurationError(f"{what} has no rule; services/api/access/table.py says who may ask")
            if rule.need is not Need.NOTHING and not isinstance(route, APIRoute | APIWebSocketRoute):
                raise ConfigurationError(f"{what} is not a route of FastAPI, so no gate stands before it")
