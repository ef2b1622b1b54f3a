"""QUICK_REFERENCE.md: `python -m tests.docs.render` writes it.

Commands come from the help panels, addresses from the service table, metrics from their declarations. Only
the sentences stand here; a test holds the names in them to the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main
from prometheus_client.metrics import MetricWrapperBase

from labkit.cli.app import FIRST, app
from labkit.cli.options import CLASS, KIT, PANELS
from labkit.labs.content import everything
from labkit.links import summary_of
from labkit.stack import DOCKER_SERVICES, SERVICES
from services.common import metrics

SERVICES_ROOT = Path(metrics.__file__).parents[1]
PROGRAMS = ("api", "worker", "tracker", "notifier")
HELPERS = {"consumed": "messages_consumed", "storage_call": "storage_operations"}
EVERYWHERE = ("program_info",)
"""What each program says of itself as it begins, in services/common/program.py."""
SUMMARY = 60
ONLY_DOCKER = {service.name for service in DOCKER_SERVICES} - {service.name for service in SERVICES}
OTHERWISE = {"amqp": "AMQP, for programs", "postgresql": "the job table, SQL"}
"""What is at a port that is not for a browser."""

HEAD = """\
# Quick reference

Two pages to print; longer: [README](README.md). `labctl` stands for `python3 labctl.py` in the kit's folder.

## The first five minutes

| type | what happens |
|---|---|
| `python3 labctl.py doctor` | says whether this computer is ready, and how to mend it |
| `python3 labctl.py demo --yes` | installs what is missing, starts all, sends 60 jobs, accounts for each |
| `python3 labctl.py monitor` | live, in a second terminal; `q` ends it |
| `python3 labctl.py lab start` | the first lab; then `lab next`, `lab check`, `lab hint` |
| `python3 labctl.py down` | stops everything; data stays |
"""

COMMANDS = """\
## Commands by task
"""

COMMANDS_END = """\
All options: [docs/commands.md](docs/commands.md). A second stack: `--project NAME --port-offset 100`.
"""

ADDRESSES_END = """\
All on 127.0.0.1, plus the port offset. `labctl urls` prints those in force, `urls --secrets` the logins.

## Where results are

| what | where |
|---|---|
| runs, with their `report.html` | `experiments/runs/`; `labctl results list` |
| results of experiments | `experiments/runs/`; `labctl experiment show NAME` |
| your labs, your programs | `.lab/default.labs/`; to hand in: `labctl lab report` |
| logs, data and state of a stack | `.lab/default/`; `labctl logs worker -f` |
"""

METRICS_END = """\
`GET /metrics` there: Prometheus text, or JSON with `Accept: application/json`. Workers have free ports, told
in their heartbeats. Latency, throughput, drain time: [docs/measurement.md](docs/measurement.md).
"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A symptom, the lines of the doctor that show it (empty: none does), and what to do."""

    symptom: str
    lines: tuple[str, ...]
    do: str


TROUBLES = (
    Trouble(
        "services do not start", ("stack", "RabbitMQ"), "`up` again; then `ps`, and `logs` of what has exited"
    ),
    Trouble("a port is busy", ("port",), "`up --port-offset 100`, or end what holds it"),
    Trouble(
        "connection refused", ("stack", "API", "broker"), "`status`; is it down? `up`; another port? `urls`"
    ),
    Trouble("nothing is processed", ("workers", "queues"), "`scale 2`; a paused worker: `resume worker`"),
    Trouble(
        "jobs stuck in processing",
        ("jobs in processing", "tracker"),
        "`ps`, `logs worker`; then `restart worker`",
    ),
    Trouble("a queue grows", ("queues",), "`scale 4`, or send less; watch `monitor`"),
    Trouble(
        "jobs have failed",
        ("dead letters",),
        "`dlq list`; mend the cause; `dlq replay --all`",
    ),
    Trouble(
        "memory is high", ("memory", "memory in use"), "`scale 1`, `up --prefetch 1`; close other programs"
    ),
    Trouble(
        "disk full: uploads get 503",
        ("disk", "broker"),
        "`results prune --keep 5`; `down --delete-data`",
    ),
    Trouble(
        "webhook, notification missing",
        ("notifier",),
        "`job ID` lists each attempt, [webhooks](docs/webhooks.md) explain it; `logs notifier`",
    ),
    Trouble(
        "Docker: permission denied",
        ("Docker",),
        "do what the line says; or `up --runtime local`",
    ),
)

TROUBLE_HEAD = """\
## When something is wrong

`labctl doctor` first: each line that is not `ok` has a command under it that mends it.

| symptom | line of `doctor` | what to do |
|---|---|---|
"""

TAIL = """\
## Cleaning up

| type | what goes |
|---|---|
| `labctl reset` | jobs, messages and images; the stack stays up |
| `labctl down` | the processes; data, settings and ports stay |
| `labctl down --delete-data` | the stack's data and logs; labs and runs stay |

`labctl results prune --keep 20` deletes old runs. Delete the kit's folder, and only RabbitMQ is left.

## Checklist for the class

- [ ] At home: `labctl prepare` ended in READY, and its code was sent.
- [ ] Two terminals side by side, a browser, nothing else open; `labctl doctor` says Ready.
- [ ] In each lab: `lab start`, predict, do, `lab check`, send the code.
- [ ] No working stack? `labctl lab start 04 --replay` reads a recorded run; they are in {replays}.
- [ ] At the end: `labctl lab report`, hand it in, `labctl down`. Instructors: [docs/class.md](docs/class.md).
"""


def quick_page() -> str:
    """Return QUICK_REFERENCE.md."""
    parts = [
        HEAD,
        COMMANDS,
        *_commands(),
        COMMANDS_END,
        *_addresses(),
        ADDRESSES_END,
        *_metrics(),
        METRICS_END,
    ]
    return "\n".join(
        [*parts, TROUBLE_HEAD + "\n".join(map(_trouble, TROUBLES)), "", TAIL.format(replays=_replays())]
    )


def _replays() -> str:
    return ", ".join(lab.number for lab in everything() if lab.file.replay)


def _commands() -> Iterator[str]:
    root: Any = typer.main.get_command(app)
    yield "| command | does |\n|---|---|"
    for panel in (panel for panel in PANELS if panel != KIT):
        found = {
            name: command
            for name, command in root.commands.items()
            if command.rich_help_panel == panel and not command.hidden
        }
        names = [name for name in FIRST if name in found] if panel == CLASS else list(found)
        yield f"| **{panel}** | |"
        for name in names:
            yield f"| {_typed(name, found[name])} | {_help(found[name])} |"
    yield ""


def _typed(name: str, command: Any) -> str:  # noqa: ANN401  (Typer publishes no types for its copy of Click)
    """Write a command with its arguments, or a group with its commands."""
    if hasattr(command, "commands"):
        return f"`{name}` " + ", ".join(f"`{inner}`" for inner in command.commands)
    needed = [one.metavar or one.name.upper() for one in command.params if one.param_type_name == "argument"]
    return "`" + " ".join([name, *needed]).replace("|", "\\|") + "`"


def _help(command: Any) -> str:  # noqa: ANN401  (as above)
    text: str = command.get_short_help_str(SUMMARY + 40)
    return text.rstrip(".")


def _addresses() -> Iterator[str]:
    more = [service for service in DOCKER_SERVICES if service.name in ONLY_DOCKER]
    ports = [(service, port) for service in (*SERVICES, *more) for port in service.ports if port.scheme]
    yield "## Where it answers\n"
    yield "| what | without Docker | with Docker |"
    yield "|---|---|---|"
    for service, port in sorted(ports, key=lambda pair: pair[0].name != "api"):
        what = summary_of(service.name, port.name) or OTHERWISE[port.scheme]
        path = "/metrics" if port.name == "prometheus" else ""
        where = f"http://127.0.0.1:{port.base}{path}" if port.scheme == "http" else f"{port.base}"
        here = "-" if service.name in ONLY_DOCKER else where
        yield f"| {service.name}: {what} | {here} | {port.docker or '-'} |"
    yield ""


def _metrics() -> Iterator[str]:
    yield "## Metrics\n"
    yield "| metric (labels) | what it is | at |"
    yield "|---|---|---|"
    for variable, metric in vars(metrics).items():
        if isinstance(metric, MetricWrapperBase):
            [described] = metric.describe()
            total = "_total" if described.type == "counter" else ""
            labels = f" ({', '.join(metric._labelnames)})" if metric._labelnames else ""
            text = described.documentation.rstrip(".")
            where = ", ".join(counted_by(variable))
            yield f"| `{described.name}{total}`{labels} | {text} | {where} |"
    yield ""


def counted_by(variable: str) -> Sequence[str]:
    """Return the programs that count a metric, found in their text."""
    if variable in EVERYWHERE:
        return PROGRAMS
    names = {variable, *(helper for helper, metric in HELPERS.items() if metric == variable)}
    used = re.compile(rf"metrics\.({'|'.join(names)})\b")
    return [
        program
        for program in PROGRAMS
        if any(used.search(path.read_text()) for path in (SERVICES_ROOT / program).rglob("*.py"))
    ]


def _trouble(trouble: Trouble) -> str:
    lines = ", ".join(f"`{line}`" for line in trouble.lines) or "-"
    return f"| {trouble.symptom} | {lines} | {trouble.do} |"
