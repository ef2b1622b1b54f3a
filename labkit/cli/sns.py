"""sns certificate, send."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from labkit.cli.context import Lab
from labkit.cli.options import LOOK, AsJson, examples
from labkit.errors import BadValue
from labkit.sns import Sender, object_key, tampered
from labkit.views.sns import heard_table
from labkit.words import command

app = typer.Typer()
sns = typer.Typer(no_args_is_help=True, help="Storage events: say, as Amazon SNS does, what has come.")
app.add_typer(sns, name="sns", rich_help_panel=LOOK)

MAX_TIMES = 100


@sns.command(epilog=examples("sns certificate", "sns certificate >> .env"))
def certificate(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Print the two settings with which an API trusts this sender; make its key first if need be."""
    lab = Lab.of(ctx)
    found = _sender(lab).settings
    if as_json:
        lab.show("", found, as_json=True)
        return
    # Nothing else on standard output, so that it can go right into the file.
    for name, value in found.items():
        lab.say(f"{name}={value}")
    hint = "Put these two lines into the file .env, then: labctl up"
    lab.err.print(lab.here(hint), soft_wrap=True, markup=False)


@sns.command(epilog=examples("sns send 4f1c7f0e5a3b4f6f9d2c8b7a6e5d4c3b", "sns send --subscribe"))
def send(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[UPLOAD...]", help="Uploads that have come: job ids, or keys in the bucket."),
    ] = None,
    subscribe: Annotated[
        bool, typer.Option("--subscribe", help="Ask to confirm the subscription instead.")
    ] = False,
    version: Annotated[
        Literal["1", "2"], typer.Option(help="How it is signed: 1 with SHA-1, 2 with SHA-256.")
    ] = "2",
    times: Annotated[int, typer.Option(min=1, max=MAX_TIMES, help="Send the same message so often.")] = 1,
    tamper: Annotated[bool, typer.Option("--tamper", help="Change the message after signing it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send a signed storage event to the API."""
    if subscribe == bool(names):
        raise BadValue(
            "It is not clear what to send.", f"Name uploads, or: {command('sns send --subscribe')}"
        )
    lab = Lab.of(ctx)
    sender = _sender(lab)
    bucket = lab.running().environment().get("LAB_S3_BUCKET", "lab")
    keys = [object_key(name) for name in names or []]
    body = (
        sender.confirmation(version=version)
        if subscribe
        else sender.notification(bucket, keys, version=version)
    )
    answers = [_post(lab, tampered(body) if tamper else body) for _ in range(times)]
    lab.show(heard_table(answers), {"answers": answers}, as_json=as_json)


def _sender(lab: Lab) -> Sender:
    return Sender.keep(lab.runtime.project.root / ".lab" / "sns")


def _post(lab: Lab, body: bytes) -> dict[str, Any]:
    # As SNS does: its JSON is called text.
    headers = {"Content-Type": "text/plain; charset=UTF-8"}
    return lab.order("POST", "/webhook/sns", data=body, headers=headers)
