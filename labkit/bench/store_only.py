"""An endpoint that puts a request's body into the store as it is: what accepting costs at least.

`python -m labkit.bench.store_only` with the LAB_ variables of a stack; prints its address.
"""

from __future__ import annotations

import asyncio
import io
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.common.connect import open_store
from services.common.program import read, run, serving
from services.common.settings import ProgramSettings, StorageSettings

WRITERS = 8
PREFIX = "bench"


class Settings(ProgramSettings, StorageSettings):
    """What it needs to know."""


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    store = open_store(settings)
    threads = ThreadPoolExecutor(WRITERS)

    async def upload(request: Request) -> Response:
        body = await request.body()
        key = f"{PREFIX}/{uuid.uuid4().hex}"
        await asyncio.get_running_loop().run_in_executor(
            threads, store.put, key, io.BytesIO(body), len(body), "application/octet-stream"
        )
        return JSONResponse({"key": key}, 202)

    app = Starlette(routes=[Route("/upload", upload, methods=["POST"])])
    async with serving(app, settings) as url:
        sys.stdout.write(url + "\n")
        sys.stdout.flush()
        await stop.wait()
    await asyncio.to_thread(store.delete, f"{PREFIX}/")


if __name__ == "__main__":
    chosen = read(Settings, "store-only")
    sys.exit(run(chosen, "store-only", lambda stop: serve(chosen, stop)))
