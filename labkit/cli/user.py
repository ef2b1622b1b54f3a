"""user add, list, password, remove."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from labkit import accounts
from labkit.cli.context import Lab
from labkit.cli.options import INSTRUCTOR, AsJson, Yes, examples
from labkit.errors import LabError
from labkit.views.users import record, users_table
from labkit.words import command

MAX_LINE = 1000

app = typer.Typer()
user = typer.Typer(no_args_is_help=True, help="Let people in, where LAB_AUTH=required.")
app.add_typer(user, name="user", rich_help_panel=INSTRUCTOR)

Name = Annotated[str, typer.Argument(metavar="NAME", help="2 to 32 of a-z, 0-9, dot, dash and underscore.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking.")
]


@user.command(epilog=examples("user add anna", "user add teacher --admin"))
def add(
    ctx: typer.Context,
    name: Name,
    admin: Annotated[bool, typer.Option("--admin", help="May do everything, and see all jobs.")] = False,
    password_stdin: FromStdin = False,
) -> None:
    """Make an account; its password is asked for."""
    lab = Lab.of(ctx)
    accounts.add(lab.access(), name, _password(from_stdin=password_stdin), admin=admin)
    lab.say(f"{name} can log in{', as an admin' if admin else ''}.")
    if lab.runtime.environment().get("LAB_AUTH") != "required":
        hint = "Nobody has to log in yet: put LAB_AUTH=required into the file .env, then: "
        lab.say(f"{hint}{command('up')}", style="yellow")


@user.command("list", epilog=examples("user list"))
def listed(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the accounts."""
    lab = Lab.of(ctx)
    found = accounts.listed(lab.access())
    lab.show(users_table(found), {"users": [record(entry) for entry in found]}, as_json=as_json)


@user.command(epilog=examples("user password anna"))
def password(ctx: typer.Context, name: Name, password_stdin: FromStdin = False) -> None:
    """Set another password, and end all sessions of this user."""
    lab = Lab.of(ctx)
    accounts.set_password(lab.access(), name, _password(from_stdin=password_stdin))
    lab.say(f"{name} has another password, and has to log in again.")


@user.command(epilog=examples("user remove anna"))
def remove(ctx: typer.Context, name: Name, yes: Yes = False) -> None:
    """Delete an account; its jobs stay, and only admins see them."""
    lab = Lab.of(ctx)
    if not (yes or lab.ask(f"Delete the account {name}?")):
        raise typer.Abort
    accounts.remove(lab.access(), name)
    lab.say(f"{name} is gone.")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline(MAX_LINE).rstrip("\r\n")
    if not sys.stdin.isatty():
        raise LabError("There is no terminal to ask for a password.", "Add --password-stdin to the command.")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
