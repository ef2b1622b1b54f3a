"""webhook listen."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from pydantic_core import to_json

from labkit.cli.context import Lab
from labkit.cli.options import LOOK, AsJson, examples
from labkit.control.chaos import duration_s
from labkit.errors import LabError
from labkit.runtime.record import read_record
from labkit.words import command

FROM_A_CONTAINER = "host.docker.internal"

app = typer.Typer()
webhook = typer.Typer(no_args_is_help=True, help="Receive what the pipeline tells about the end of jobs.")
app.add_typer(webhook, name="webhook", rich_help_panel=LOOK)


@webhook.command(epilog=examples("webhook listen", "webhook listen --fail 2", "webhook listen --slow 5s"))
def listen(
    ctx: typer.Context,
    fail: Annotated[int, typer.Option(min=0, help="Answer 500 to so many, then take them.")] = 0,
    slow: Annotated[str, typer.Option(metavar="TIME", help="Answer after 500ms, 5s.")] = "0",
    count: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 8070 plus the offset when not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Receive webhooks: print each one, verify its signature and time.

    Give the address that it prints to `upload --callback`. It ends with Ctrl-C. The exit code is 1 when
    one of them could not be verified.
    """
    from labkit.webhooks import BASE_PORT  # noqa: PLC0415 - slow

    lab = Lab.of(ctx)
    secret = lab.running().environment().get("LAB_WEBHOOK_SECRET", "")
    if not secret:
        raise LabError("This stack has no LAB_WEBHOOK_SECRET to sign with.", f"Start it: {command('up')}")
    wanted = lab.runtime.project.port(BASE_PORT) if port is None else port
    refused = asyncio.run(
        _listen(lab, secret, host, wanted, fail=fail, slow_s=duration_s(slow), count=count, as_json=as_json)
    )
    if refused:
        raise typer.Exit(1)


async def _listen(
    lab: Lab, secret: str, host: str, port: int, *, fail: int, slow_s: float, count: int | None, as_json: bool
) -> int:
    from labkit.views.webhooks import received_line  # noqa: PLC0415 - slow
    from labkit.webhooks import Received, Receiver  # noqa: PLC0415 - slow

    done = asyncio.Event()
    refused = 0

    def show(received: Received) -> None:
        nonlocal refused
        refused += bool(received.problem)
        if as_json:
            typer.echo(to_json(asdict(received)))
        else:
            lab.out.print(received_line(received), soft_wrap=True)
        if count is not None and received.number >= count:
            done.set()

    async with Receiver(secret, show, fail=fail, slow_s=slow_s).serving(host, port) as found:
        if not as_json:
            _welcome(lab, host, found)
        await done.wait()
    return refused


def _welcome(lab: Lab, host: str, port: int) -> None:
    record = read_record(lab.runtime.project)
    in_containers = record is not None and record.runtime == "docker"
    url = f"http://{FROM_A_CONTAINER if in_containers else host}:{port}/"
    lab.say(f"Listening. In another terminal: {command(f'upload photo.jpg --callback {url}')}")
    if lab.runtime.environment().get("LAB_WEBHOOK_ALLOW_PRIVATE", "").lower() not in (
        "1",
        "true",
        "yes",
        "on",
    ):
        lab.say(
            "This stack sends webhooks to public hosts only. To let it send them to this machine, put "
            f"LAB_WEBHOOK_ALLOW_PRIVATE=true into the file .env, then: {command('up')}",
            style="yellow",
        )
    if in_containers and sys.platform == "linux" and host == "127.0.0.1":
        lab.say(
            "On Linux a container reaches this machine at the address of Docker's bridge only: "
            f"{command('webhook listen --host 172.17.0.1')}",
            style="yellow",
        )
