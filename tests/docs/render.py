"""Pages that are made from the code: `python -m tests.docs.render` writes them, tests compare them.

They are `QUICK_REFERENCE.md` (from much of the kit), `EXPERIMENTS.md` (from the declarations),
`docs/commands.md` (from the command line's own help), `docs/operations.md` (from the operations),
`docs/messages.md` (from the records that cross the broker) and `.env.example` (from the settings).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer.main
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from labkit.cli.app import app
from labkit.settings import LabSettings
from labkit.stack import DOCKER_SERVICES, port_variable
from services.api.settings import ApiSettings
from services.dashboard.settings import DashboardSettings
from services.notifier.settings import NotifierSettings
from services.tracker.settings import TrackerSettings
from services.worker.processors import catalogue
from services.worker.settings import WorkerSettings
from tests.docs.experiments import experiments_page
from tests.docs.quick import quick_page
from tests.docs.records import messages_page
from tests.support.compose import defaults

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS: Mapping[str, type[BaseSettings]] = {
    "labctl": LabSettings,
    "api": ApiSettings,
    "worker": WorkerSettings,
    "tracker": TrackerSettings,
    "notifier": NotifierSettings,
    "dashboard": DashboardSettings,
}
# What labctl itself sets for each instance; to set it for all would start them with one name on one port.
PER_INSTANCE = {"instance", "host", "port"}
DOCKER = {
    "LAB_IMAGE_TAG": "tag of the image of the kit's own programs",
    "LAB_RABBITMQ_PASSWORD": "password of RabbitMQ's user lab, letters and digits, from the first start on",
    "LAB_POSTGRES_PASSWORD": "password of PostgreSQL's user lab, likewise",
}
WIDTH = 100


def commands_page() -> str:
    """Return docs/commands.md."""
    lines = [
        "# Commands",
        "",
        "Type `python3 labctl.py COMMAND` (or `./labctl COMMAND`); `--help` behind a command shows more.",
        "Commands that read take `--json`.",
        "",
        "Exit status: 0 done, 1 failed, 2 typed wrongly or unknown, 130 interrupted.",
        "",
        "| command | does |",
        "|---|---|",
    ]
    lines += [
        f"| `{usage}` | {help_text} |" for usage, help_text in _commands(typer.main.get_command(app), "")
    ]
    return "\n".join(lines) + "\n"


def _commands(group: Any, before: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}{_usage(command)}", command.get_short_help_str(200)


def _usage(command: Any) -> str:  # noqa: ANN401
    words = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = parameter.metavar or parameter.name.upper()
            words.append(name if parameter.required or name.startswith("[") else f"[{name}]")
        elif "--help" not in parameter.opts:
            value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
            words.append(f"[{parameter.opts[0]}{value}]")
    return "".join(f" {word}" for word in words).replace("|", "\\|")


def operations_page() -> str:
    """Return docs/operations.md."""
    lines = [
        "# Operations",
        "",
        "What `operations` may say of an upload. A semicolon or a bar separates operations, a comma their",
        "arguments; they are carried out in this order. Without any, an image is resized to fit 800x600.",
        "Every image also yields a thumbnail of 128x128 pixels.",
        "",
        "| operation | written like | does |",
        "|---|---|---|",
    ]
    for name, kind in sorted(catalogue().items()):
        usages = " or ".join(f"`{usage}`" for usage in kind.usage.split(" or "))
        [first, *_] = inspect.cleandoc(kind.__doc__ or "").splitlines()
        lines.append(f"| {name} | {usages} | {first} |")
    return "\n".join(lines) + "\n"


def env_example() -> str:
    """Return .env.example."""
    lines = [
        "# Every setting, with its default. Copy this file to .env and take the # away where you want",
        "# another value; variables of your shell win over .env. Keep secrets in .env only: git ignores it.",
    ]
    described = {name: (field.description, _text(field.default), users) for name, field, users in _settings()}
    for name, (text, default, users) in {**described, **dict(_docker_settings(set(described)))}.items():
        lines += ["", f"# {text} ({', '.join(users)})", f"#{name}={default}"]
    return "\n".join(lines) + "\n"


def _docker_settings(known: set[str]) -> Iterator[tuple[str, tuple[str, str, list[str]]]]:
    """Give the variables of docker-compose.yml that are nobody's setting, in its order."""
    ports = {
        port_variable(service, port): f"port on this computer: {service.name}, {port.name}"
        for service in DOCKER_SERVICES
        for port in service.ports
    }
    for name, default in defaults().items():
        if name not in known:
            yield name, ({**ports, **DOCKER}[name], default, ["Docker"])


def _settings() -> Iterator[tuple[str, Any, list[str]]]:
    users: dict[str, list[str]] = {}
    fields: dict[str, Any] = {}
    for program, kind in PROGRAMS.items():
        for name, field in kind.model_fields.items():
            if name in PER_INSTANCE and kind is not LabSettings:
                continue
            users.setdefault(name, []).append(program)
            fields.setdefault(name, field)
    for name, field in fields.items():
        variable = "LOG_LEVEL" if name == "log_level" else f"LAB_{name.upper()}"
        yield variable, field, users[name]


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


PAGES = {
    "QUICK_REFERENCE.md": quick_page,
    "EXPERIMENTS.md": experiments_page,
    "docs/commands.md": commands_page,
    "docs/operations.md": operations_page,
    "docs/messages.md": messages_page,
    ".env.example": env_example,
}

if __name__ == "__main__":
    for page, render in PAGES.items():
        (ROOT / page).write_text(render())
