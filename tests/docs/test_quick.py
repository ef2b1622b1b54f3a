"""QUICK_REFERENCE.md names only what there is, and docs/class.md keeps the clock of the labs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from prometheus_client.metrics import MetricWrapperBase

import labkit.doctor
from labkit.cli.app import app
from labkit.doctor import ports
from labkit.doctor.project import Project
from labkit.labs.content import everything
from labkit.labs.devcheck import AROUND_MIN, CLASS_MIN
from services.common import metrics
from tests.docs.quick import TROUBLES, counted_by
from tests.docs.render import ROOT

PAGE = (ROOT / "QUICK_REFERENCE.md").read_text()
CLASS = (ROOT / "docs" / "class.md").read_text()
SYMPTOMS = ("do not start", "busy", "refused", "stuck", "memory", "grows", "disk", "webhook", "permission")
ROW = re.compile(r"^\| (\d+)\W(\d+) \| ([^|]+) \|", re.MULTILINE)


def typed(text: str) -> list[str]:
    """Return what stands in backticks and begins like a command of labctl."""
    found = [re.sub(r"^(python3 labctl\.py|labctl) ", "", words) for words in re.findall(r"`([^`]+)`", text)]
    return [words for words in found if re.match(r"[a-z]+( |$)", words)]


def parse(words: str) -> None:
    """Parse a command of labctl. Raises what Typer raises."""
    command = typer.main.get_command(app)
    rest = shlex.split(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    command.make_context(command.name, rest)


@pytest.mark.parametrize("words", sorted({words for trouble in TROUBLES for words in typed(trouble.do)}))
def test_what_to_do_can_be_typed(words: str) -> None:
    """Each command of the troubleshooting table exists, with its options."""
    parse(words if words != "logs" else "logs worker")


def test_every_symptom_is_there() -> None:
    """The troubles that people have are all in the table."""
    table = " ".join(trouble.symptom for trouble in TROUBLES)
    assert [symptom for symptom in SYMPTOMS if symptom not in table] == []


def test_lines_of_the_doctor_exist() -> None:
    """Each line that the table names is one that the doctor can print."""
    sources = "".join(path.read_text() for path in Path(labkit.doctor.__file__).parent.glob("*.py"))
    name = ports.check_port("api", Project("nobody", 30_000), up=False).name
    named = {line for trouble in TROUBLES for line in trouble.lines}
    assert {line for line in named if f'"{line}"' not in sources and not name.startswith(line)} == set()


def test_every_metric_is_counted_somewhere() -> None:
    """Each metric that is declared has a program that counts it, and a row."""
    found = {name: metric for name, metric in vars(metrics).items() if isinstance(metric, MetricWrapperBase)}
    assert [name for name in found if not counted_by(name)] == []
    assert all(described.name in PAGE for metric in found.values() for described in metric.describe())


def test_the_clock_of_the_class() -> None:
    """The blocks follow each other, have the labs' minutes, and end after 90 minutes."""
    rows = [(int(begin), int(end), what) for begin, end, what in ROW.findall(CLASS)]
    assert [begin for begin, _, _ in rows] == [0, *(end for _, end, _ in rows[:-1])]
    assert rows[-1][1] == CLASS_MIN
    labs = {what.split()[0].strip("*"): end - begin for begin, end, what in rows}
    core = {lab.number: lab.file.minutes for lab in everything() if lab.file.core}
    assert {number: minutes for number, minutes in labs.items() if number.isdecimal()} == core
    assert sum(minutes for number, minutes in labs.items() if not number.isdecimal()) == AROUND_MIN
