"""`GET /targets`: where workers show their metrics, for Prometheus.

Workers take free ports and say in their heartbeats which; so a Prometheus that asks here follows them as they
are scaled: https://prometheus.io/docs/prometheus/latest/http_sd/
"""

from __future__ import annotations

import re
from typing import TypedDict
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.common.messages import Heartbeat
from services.common.roster import Roster

MAX_TARGETS = 500
"""Whoever may publish can invent workers; more than these are not looked at."""

MAX_NAME = 100

_EVERYWHERE = ("0.0.0.0", "::")
_HOST = re.compile(r"[\w.-]{1,253}")
_NUMBER = re.compile(r"-\d+$")


class Group(TypedDict):
    """Targets that share labels, as Prometheus wants them."""

    targets: list[str]
    labels: dict[str, str]


def targets_route(roster: Roster) -> Route:
    """Return the route; who is not on the roster any more is no target."""

    async def targets(_: Request) -> Response:
        groups = (group_of(heard.beat) for heard in roster.present()[:MAX_TARGETS])
        return JSONResponse([group for group in groups if group])

    return Route("/targets", targets)


def group_of(beat: Heartbeat) -> Group | None:
    """Return a worker as a target, or None when its address is none."""
    try:
        parts = urlsplit(beat.url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if host in _EVERYWHERE:
        host = beat.host  # a container: its name is its address
    if not port or parts.scheme != "http" or not _HOST.fullmatch(host):
        return None
    name = beat.instance[:MAX_NAME]
    return {"targets": [f"{host}:{port}"], "labels": {"instance": name, "service": _NUMBER.sub("", name)}}
