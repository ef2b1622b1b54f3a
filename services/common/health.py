"""`/health`, `/live` and `/metrics`: the same three routes on every program.

`/live` says that the process answers; `/health` that what it needs is there (503 when not).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.common.broker import Broker
from services.common.errors import BrokerUnavailable, TransientError
from services.common.threads import detached

CHECK_TIMEOUT_S = 3.0
SETTLE_S = 2.0

Check = Callable[[], Awaitable[str]]
"""Return a detail when all is well, raise a `TransientError` when not."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    ok: bool
    detail: str


def broker_check(broker: Broker) -> Check:
    """Return the check that the broker is connected and the topology stands."""

    async def check() -> str:
        if not broker.connected:
            raise BrokerUnavailable("no connection to RabbitMQ; trying again")
        if broker.blocked:
            raise BrokerUnavailable(f"RabbitMQ takes no messages: {broker.blocked}")
        return f"RabbitMQ {broker.version}"

    return check


def settled_check(broker: Broker) -> Check:
    """Return the broker check of the program by which a new stack is judged: the queues must have settled.

    A quorum queue younger than a second or two can lose a confirmed message when its broker is killed.
    """
    reached = broker_check(broker)
    first: float | None = None

    async def check() -> str:
        nonlocal first
        detail = await reached()
        first = first or time.monotonic()
        if time.monotonic() - first < SETTLE_S:
            raise BrokerUnavailable(f"the queues may be new; they settle within {SETTLE_S:g} s")
        return detail

    return check


def blocking_check(call: Callable[[], object], detail: str) -> Check:
    """Return a check that runs a blocking call in a thread; a call still under way answers all who ask."""
    under_way: asyncio.Task[object] | None = None

    async def check() -> str:
        nonlocal under_way
        if under_way is None or under_way.done():
            under_way = asyncio.create_task(detached(call))
            # Who asked may have given up; then nobody reads the outcome, and that is no fault.
            under_way.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Shielded: without an answer from a store that hangs, each question would take one more thread.
        await asyncio.shield(under_way)
        return detail

    return check


async def _find(check: Check) -> Finding:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return Finding(ok=True, detail=await check())
    except TransientError as error:
        return Finding(ok=False, detail=str(error))
    except TimeoutError:
        return Finding(ok=False, detail=f"no answer within {CHECK_TIMEOUT_S:g} s")


def health_routes(checks: Mapping[str, Check]) -> list[Route]:
    """Return the three routes, with `checks` behind /health."""

    async def health(_: Request) -> Response:
        found = dict(zip(checks, await asyncio.gather(*map(_find, checks.values())), strict=True))
        well = all(finding.ok for finding in found.values())
        body = {
            "status": "healthy" if well else "unhealthy",
            "timestamp": datetime.now(UTC).isoformat(),
            "checks": {name: {"ok": finding.ok, "detail": finding.detail} for name, finding in found.items()},
        }
        return JSONResponse(body, 200 if well else 503)

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def metrics(request: Request) -> Response:
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse(metrics_as_json())
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/health", health), Route("/live", live), Route("/metrics", metrics)]


def metrics_as_json() -> dict[str, list[dict[str, object]]]:
    """Return all samples by metric name: `{name: [{labels, value}]}`."""
    found: dict[str, list[dict[str, object]]] = {}
    for family in REGISTRY.collect():
        for sample in family.samples:
            found.setdefault(sample.name, []).append({"labels": sample.labels, "value": sample.value})
    return found
