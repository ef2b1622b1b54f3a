"""up, down, reset, and what every command has in common."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from labkit.cli.app import app
from labkit.cli.context import ask_person
from labkit.cli.options import complete_instances, complete_layouts, complete_scale, complete_targets
from labkit.errors import LabError
from labkit.stack import WORKERS
from services.common.errors import BrokerUnavailable
from tests.support.examples import new_job
from tests.support.lab import ForgetfulRuntime, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world whose stack is not up."""
    return World.make(tmp_path)


def test_up_starts_the_stack_and_says_what_next(world: World) -> None:
    """`up --workers 3` runs three workers, and ends with the API's URL and next steps."""
    result = world.run("up", "--workers", "3")
    assert result.exit_code == 0
    assert world.names("worker") == ["worker-1", "worker-2", "worker-3"]
    assert "Ready in" in result.stdout
    assert world.runtime.address("api") in result.stdout
    assert "scale 3" in result.stdout


def test_up_without_a_terminal_tells_progress_line_by_line(world: World) -> None:
    """A pipe gets a plain line for each change of an instance."""
    result = world.run("up")
    assert any(line.endswith("worker-1 ready") for line in result.stdout.splitlines())
    assert "\x1b" not in result.stdout


def test_up_installs_what_is_missing_and_goes_on(tmp_path: Path) -> None:
    """A missing RabbitMQ is installed, without a question after --yes, and the stack starts."""
    world = World.make(tmp_path, ForgetfulRuntime)
    result = world.run("up", "--yes")
    assert result.exit_code == 0
    assert world.installs == [("rabbitmq", True)]
    assert world.names("api") == ["api-1"]


def test_up_starts_only_what_is_asked_for(world: World) -> None:
    """`--only` leaves the other services alone."""
    world.run("up", "--only", "rabbitmq", "--only", "object-store")
    assert list(world.states()) == ["rabbitmq-1", "object-store-1"]


def test_up_passes_prefetch_on(world: World) -> None:
    """`--prefetch` reaches the programs."""
    world.run("up", "--prefetch", "10")
    assert world.runtime.environment()["LAB_PREFETCH"] == "10"


def test_up_changes_the_layout(world: World) -> None:
    """`--layout` replaces the workers by pools, and is kept until it is changed."""
    world.up(workers=3)
    assert "5 workers in pools" in world.run("up", "--layout", "per-operation").stdout
    pools = ["rotate-1", "resize-1", "force_resize-1", "convert-1", "other-1"]
    assert [name for name in world.states() if name.partition("-")[0] in WORKERS] == pools
    shown = world.run("up", "--workers", "2").stdout
    assert "5 workers in pools" in shown
    assert "scale convert=3" in shown
    assert "fake runtime, layout per-operation" in world.run("status").stdout.splitlines()[0]
    assert "image.convert" in world.run("status").stdout
    assert "2 workers." in world.run("up", "--layout", "single").stdout


def test_a_layout_of_the_environment_is_a_choice_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`LAB_LAYOUT` chooses the layout; `config` shows the one in force."""
    world.run("up", "--layout", "single")
    monkeypatch.setenv("LAB_LAYOUT", "per-operation")
    assert "5 workers in pools" in world.run("up").stdout
    found = {entry["name"]: entry for entry in json.loads(world.run("config", "--json").stdout)}
    assert found["LAB_LAYOUT"]["value"] == "per-operation"


def test_an_unknown_layout_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error in a layout starts nothing and lists the layouts."""
    monkeypatch.setenv("LAB_LAYOUT", "singel")
    for result in (world.run("up"), world.run("up", "--layout", "pools")):
        assert result.exit_code == 1
        assert "single, per-operation" in result.stderr
    assert world.states() == {}


def test_an_option_after_up_wins_over_the_one_before(world: World) -> None:
    """Options for all commands may stand before the command, and for `up` after it."""
    world.run("--port-offset", "100", "--project", "two", "up", "--port-offset", "200", "--runtime", "local")
    last = world.opened[-1]
    assert (last.project, last.port_offset, last.runtime) == ("two", 200, "local")


def test_down_stops_everything(world: World) -> None:
    """`down` says that data stays; a second one finds nothing to stop."""
    result = world.up().run("down")
    assert "Stopped. Data stays." in result.stdout
    assert world.states() == {}
    assert "Nothing was running." in world.run("down", "--clean").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["ps"],
        ["urls"],
        ["logs"],
        ["scale", "2"],
        ["kill", "worker-1"],
        ["kill", "--random"],
        ["pause", "worker-1"],
        ["resume", "worker-1"],
        ["restart", "api"],
        ["jobs"],
        ["job", "x"],
        ["dlq", "stats"],
        ["reset", "--yes"],
    ],
    ids=" ".join,
)
def test_without_a_stack_a_command_says_how_to_start_it(world: World, arguments: list[str]) -> None:
    """A command that needs the stack answers with one line and the next step, exit 1, no traceback."""
    result = world.run("--project", "class", *arguments)
    assert result.exit_code == 1
    message, step = result.stderr.splitlines()
    assert "is not up" in message
    assert step.startswith("Start it: ")
    assert step.endswith("--project class up")
    assert result.stdout == ""


def test_reset_empties_everything_and_restores_the_defaults(world: World) -> None:
    """After `reset` there is no message, job or object, one worker, prefetch 1, layout single."""
    world.up(workers=3).run("up", "--layout", "per-operation")
    world.waiting = 4
    world.store.objects["originals/1"] = (b"x", "image/png")
    table = world.jobs()
    table.add([new_job(job_id="one"), new_job(job_id="two")])
    result = world.run("reset", "--yes")
    assert result.exit_code == 0
    assert "Removed 4 messages, 2 jobs, 1 object." in result.stdout
    assert world.names("worker") == ["worker-1"]
    assert set(world.states().values()) == {"running"}
    environment = world.runtime.environment()
    assert environment["LAB_PREFETCH"] == "1"
    assert environment["LAB_LAYOUT"] == "single"
    assert table.count_by_status() == {}
    table.close()


def test_reset_asks_first(world: World) -> None:
    """Without --yes there is a question, and a no changes nothing."""
    world.up().waiting = 4
    world.answer = False
    result = world.run("reset")
    assert len(world.questions) == 1
    assert "Nothing was changed." in result.stdout


def test_reset_starts_the_programs_again_when_the_broker_is_away(world: World) -> None:
    """A reset that fails says so, and leaves a stack that runs."""
    world.up().broker_answers = False
    result = world.run("reset", "--yes")
    assert result.exit_code == 1
    assert "could not be emptied" in result.stderr
    assert set(world.states().values()) == {"running"}


def test_a_question_without_a_terminal_is_an_error() -> None:
    """Nobody at the keyboard: the command does not hang, it says what to add."""
    with pytest.raises(LabError, match="terminal") as caught:
        ask_person("Sure?")
    assert "--yes" in caught.value.next_step


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["scale"], ["scale", "many"], ["kill"], ["ps", "--nope"]]
)
def test_what_is_typed_wrongly_ends_with_2(world: World, arguments: list[str]) -> None:
    """Usage errors have an exit code of their own, and go to standard error."""
    result = world.up().run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: labctl" in result.stderr


def test_a_bad_setting_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that cannot be read is named, with what was found in it."""
    monkeypatch.setenv("LAB_PORT_OFFSET", "many")
    result = world.run("ps")
    assert result.exit_code == 1
    assert "LAB_PORT_OFFSET is 'many'" in result.stderr


def test_a_broker_that_does_not_answer_is_a_sentence(world: World) -> None:
    """What the pipeline could not do is no mistake in labctl, and there is something to do next."""
    world.fault = BrokerUnavailable("no answer within 5 s")
    result = world.run("ps")
    assert result.exit_code == 1
    assert result.stderr.startswith("The stack did not do it: no answer within 5 s")
    assert "labctl.py status" in result.stderr


def test_an_error_of_our_own_is_one_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw becomes a line that says how to see more; LAB_DEBUG shows the place."""
    world.fault = KeyError("colour")
    result = world.run("ps")
    assert result.exit_code == 1
    assert result.stderr.startswith("A mistake in labctl: KeyError: 'colour'")
    assert "LAB_DEBUG=1" in result.stderr
    monkeypatch.setenv("LAB_DEBUG", "1")
    assert world.run("ps").exception is world.fault


def test_ctrl_c_says_stopped(world: World) -> None:
    """Ctrl-C ends a command with one word and exit 130."""
    world.fault = KeyboardInterrupt()
    result = world.run("ps")
    assert result.exit_code == 130
    assert result.stderr == "Stopped.\n"


def commands(page: str) -> list[str]:
    """Read the names of commands from panels of help."""
    return re.findall(r"^│ (\S+)", page, re.MULTILINE)


def test_the_first_help_page_begins_with_what_a_class_uses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ten commands of a class stand in the first panel, in the order in which they are used."""
    monkeypatch.setenv("LAB_DOOR", "python3 labctl.py")  # a checkout's own path may be longer than a line
    page = world.run("--help").stdout
    first = page[: page.index("Guided labs")]
    ten = ["up", "demo", "status", "scale", "kill", "upload", "jobs", "logs", "doctor", "down"]
    assert commands(first) == ten
    assert max(map(len, page.splitlines())) <= 80


def test_help_has_a_line_for_each_command(world: World) -> None:
    """On the first page no description is so long that it wraps."""
    page = world.run("--help").stdout
    listed = page[: page.index("Options for every command")]
    assert not re.findall(r"^│  +\S", listed, re.MULTILINE)


def paths(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:  # noqa: ANN401
    """Walk through all commands of a group, each as the words that name it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from paths(command, (*before, name))
        else:
            yield (*before, name)


@pytest.mark.parametrize("path", [*paths(get_command(app))], ids=" ".join)
def test_every_command_has_an_example(world: World, path: tuple[str, ...]) -> None:
    """The help of each command ends with a line that can be typed."""
    shown = world.run(*path, "--help").stdout
    assert f" {' '.join(path)}" in shown.partition("$ ")[2]


def test_names_complete_themselves(world: World) -> None:
    """Tab knows services and running instances, and stays silent when something is wrong."""
    context = typer.Context(get_command(app), obj=world.up(workers=2).lab())
    assert complete_targets(context, "work") == ["worker", "worker-1", "worker-2"]
    assert complete_instances(context, "api") == ["api-1"]
    assert complete_scale("") == [
        "worker=",
        "rotate=",
        "resize=",
        "force_resize=",
        "convert=",
        "other=",
        "api=",
    ]
    assert complete_layouts("p") == ["per-operation"]
    world.fault = LabError("The state cannot be read.", "")
    assert complete_instances(context, "work") == []


def test_completion_calls_the_program_where_it_is(world: World) -> None:
    """The script asks the program by its whole path, for it is not on the PATH."""
    shown = world.run("completion", "zsh").stdout
    assert "#compdef labctl" in shown
    assert "/labctl)" in shown


def test_json_is_json(world: World) -> None:
    """What reads prints one JSON document with --json and nothing else."""
    world.up()
    for command in ("status", "ps", "urls", "config"):
        assert json.loads(world.run(command, "--json").stdout)
