"""A receiver of webhooks for class: it verifies each one, and can fail or be slow on purpose."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from labkit.errors import LabError
from services.common.signatures import verify

MAX_BODY_BYTES = 1024 * 1024
STOP_S = 1.0
BASE_PORT = 8070

TAKEN, FAILED, REFUSED = 204, 500, 401


@dataclass(frozen=True, slots=True)
class Received:
    """One POST; `problem` is empty when it was verified, `copy` counts those with the same id."""

    number: int
    at: float
    answered: int
    problem: str
    webhook_id: str
    copy: int
    type: str = ""
    job_id: str = ""
    status: str = ""

    @property
    def taken(self) -> bool:
        """Whether its sender was told that all is well."""
        return self.answered == TAKEN


class Receiver:
    """Answers 500 to the first `fail`, each answer after `slow_s` seconds, and tells `show` of each POST."""

    def __init__(
        self, secret: str, show: Callable[[Received], None], *, fail: int = 0, slow_s: float = 0
    ) -> None:
        self._secret = secret
        self._show = show
        self._fail = fail
        self._slow_s = slow_s
        self._number = 0
        self._seen: Counter[str] = Counter()

    @asynccontextmanager
    async def serving(self, host: str, port: int) -> AsyncIterator[int]:
        """Serve while the block runs; yield the port. Raises LabError when it is taken."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/{path:.*}", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, host, port).start()
            except OSError as error:
                raise LabError(
                    f"Nothing can listen on {host}:{port}: {error.strerror}.", "Choose another --port."
                ) from None
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        received = self._received(dict(request.headers), body)
        await asyncio.sleep(self._slow_s)
        self._show(received)
        return web.Response(status=received.answered)

    def _received(self, headers: dict[str, str], body: bytes) -> Received:
        self._number += 1
        lower = {name.lower(): value for name, value in headers.items()}
        webhook_id = lower.get("webhook-id", "")
        problem = verify(self._secret, lower, body)
        if not problem:
            self._seen[webhook_id] += 1
        payload = _payload(body) if not problem else {}
        data = payload.get("data", {})
        return Received(
            number=self._number,
            at=time.time(),
            answered=REFUSED if problem else FAILED if self._number <= self._fail else TAKEN,
            problem=problem,
            webhook_id=webhook_id,
            copy=self._seen[webhook_id],
            type=str(payload.get("type", "")),
            job_id=str(data.get("job_id", "")),
            status=str(data.get("status", "")),
        )


def _payload(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
