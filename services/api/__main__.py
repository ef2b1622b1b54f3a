"""`python -m services.api`: take jobs in, tell how they are doing."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any

from services.api.app import assemble, build
from services.api.settings import ApiSettings
from services.common.connect import open_broker, open_store
from services.common.jobs import JobStore
from services.common.program import read, run, serving


async def serve(settings: ApiSettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then finish the requests in hand."""
    broker = open_broker(settings, settings.instance)
    table = JobStore(settings.database_url.get_secret_value())
    parts = assemble(settings, broker, open_store(settings, settings.s3_public_endpoint), table)
    works = [parts.objects.keep_bucket(), parts.direct.sweep_forever()]
    admin_password = settings.admin_password.get_secret_value()
    if settings.auth == "required" and admin_password:
        works.append(parts.accounts.keep_admin(admin_password))
    async with beside(works, stop), broker:
        async with serving(build(parts), settings), parts.listeners, parts.roster:
            await stop.wait()
        await parts.publisher.drain()
        await parts.objects.drain()
    parts.accounts.close()
    parts.rows.close()
    table.close()


@contextlib.asynccontextmanager
async def beside(works: Iterable[Coroutine[Any, Any, None]], stop: asyncio.Event) -> AsyncIterator[None]:
    """Let `works` go on while the block runs; one that fails sets `stop`, and ends the program as failed."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception():
            stop.set()

    tasks = [asyncio.create_task(work) for work in works]
    for task in tasks:
        task.add_done_callback(ended)
    yield
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def main() -> int:
    """Read the settings and run."""
    settings = read(ApiSettings, "api")
    return run(settings, "api", lambda stop: serve(settings, stop))


if __name__ == "__main__":
    sys.exit(main())
