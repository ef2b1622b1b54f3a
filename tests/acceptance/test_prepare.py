"""The homework on a real stack."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from labkit.cli.app import app
from labkit.cli.context import Lab
from labkit.labs.codes import decode
from labkit.labs.progress import load, path
from tests.acceptance.stack import Stack


@pytest.fixture
def lab(stack: Stack, tmp_path: Path) -> Lab:
    """Give what a command works with: the running stack, and folders of its own."""
    return Lab(
        open_runtime=lambda _: stack.runtime,
        err=Console(stderr=True),
        runs=tmp_path / "runs",
        class_toml=tmp_path / "class.toml",
    )


def test_prepare_ends_in_ready(lab: Lab, stack: Stack) -> None:
    """One image goes through every hop and comes back; the code names the student, the stack stays up."""
    result = CliRunner().invoke(app, ["prepare", "--name", "Anna", "--json"], obj=lab)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [step["ok"] for step in found["steps"]] == [True] * 5
    assert decode(found["code"]).student == "Anna"
    assert load(path(stack.runtime.project)).student == "Anna"
    assert stack.runtime.instances()


def test_prepare_refuses_another_broker(lab: Lab) -> None:
    """A class that pins another RabbitMQ is not READY, and gets no code."""
    lab.class_toml.write_text('broker = "2.8"\n')
    result = CliRunner().invoke(app, ["prepare", "--name", "Anna", "--json"], obj=replace(lab))
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["ready"], found["code"]) == (False, "")
    assert "2.8" in next(step["said"] for step in found["steps"] if step["name"] == "RabbitMQ")


def test_a_class_does_not_see_the_throughput(lab: Lab) -> None:
    """In class mode the demo withholds what lab 02 asks for, on the screen and in the JSON."""
    lab.class_toml.write_text("hide_spoilers = true\n")
    result = CliRunner().invoke(app, ["demo", "--jobs", "4", "--json"], obj=lab)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["throughput_jobs_per_s"] is None
