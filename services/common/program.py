"""How every program runs: logs first, one event loop, an HTTP side, a graceful end on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Literal, TypeVar

import uvicorn
from pydantic import ValidationError
from starlette.types import ASGIApp

from services.common import logs, metrics, naming
from services.common.errors import QueueLabError
from services.common.settings import DoorSettings, ProgramSettings

log = logging.getLogger(__name__)

HTTP_STOP_TIMEOUT_S = 5
MAX_WORDS_BYTES = 64 * 1024
"""The longest message that a client may send over a WebSocket."""

SettingsT = TypeVar("SettingsT", bound=ProgramSettings)

Main = Callable[[asyncio.Event], Awaitable[None]]
"""The body of a program; it ends soon after the event is set."""


def run(settings: ProgramSettings, program: str, main: Main) -> int:
    """Run a program until a signal; return its exit status: 0 after a graceful end, 1 after a failure."""
    logs.configure(settings.log_level, settings.instance)
    metrics.program_info.labels(program, settings.instance).set(1)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_signal(main, program))
    except QueueLabError as error:
        log.critical("program_failed", extra={"error": str(error)})
        return 1
    except Exception:  # the process's outermost loop
        log.critical("program_failed", exc_info=True)
        return 1
    return 0


def read(kind: type[SettingsT], program: str) -> SettingsT:
    """Read the settings from the environment, or end with a line for each that is wrong.

    An instance without a name gets one that is unique on this network.
    """
    try:
        settings = kind()
    except ValidationError as error:
        for wrong in error.errors(include_url=False, include_input=False):
            field = "_".join(str(part) for part in wrong["loc"]).upper()
            name = field if field == "LOG_LEVEL" else f"LAB_{field}"
            what = wrong["msg"].removeprefix("Value error, ")
            sys.stderr.write(f"{name}: {what}; `.env.example` shows what it may be.\n")
        raise SystemExit(2) from None
    unique = f"{program}-{socket.gethostname()}-{os.getpid()}"
    return settings.model_copy(update={"instance": settings.instance or naming.own_name() or unique})


async def _until_signal(main: Main, program: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Windows loops take no signal handlers; there Ctrl-C ends the loop itself.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    log.info("program_started", extra={"program": program, "pid": os.getpid()})
    await main(stop)
    log.info("program_stopped", extra={"program": program})


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, settings: ProgramSettings) -> AsyncIterator[str]:
    """Serve `app` while the block runs; yield its base address."""
    listener = socket.create_server((settings.host, settings.port), reuse_port=False)
    # Connections inherit it. asyncio does not set it for them, and then the second part of an answer waits
    # for the client to acknowledge the first: 40 ms more for each.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        app,
        http=_protocol(),
        ws=_socket(),
        ws_max_size=MAX_WORDS_BYTES,
        ws_per_message_deflate=False,  # costs each connection more memory than all the rest of it
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=HTTP_STOP_TIMEOUT_S,
        server_header=False,
        forwarded_allow_ips=_believed(settings),
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await task


def _believed(settings: ProgramSettings) -> list[str]:
    """Return whose word counts on who a client is, and whether it came by https."""
    proxies = settings.trusted_proxies if isinstance(settings, DoorSettings) else ""
    return proxies.replace(",", " ").split()


class _Server(uvicorn.Server):
    """A server that leaves signals to the program around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _protocol() -> type[asyncio.Protocol] | Literal["auto"]:
    if sys.platform == "win32":
        return "auto"
    from services.common.heads import BoundedProtocol  # noqa: PLC0415  (no wheel for Windows)

    return BoundedProtocol


def _socket() -> type[asyncio.Protocol] | Literal["auto"]:
    if sys.platform == "win32":
        return "auto"
    from services.common.heads import BoundedSocket  # noqa: PLC0415  (as above)

    return BoundedSocket


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415  (no wheel for Windows)

    return uvloop.new_event_loop
