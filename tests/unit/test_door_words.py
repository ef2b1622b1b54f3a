"""The form of the command in messages."""

import os
from pathlib import Path

import pytest

from labkit import words
from labkit.install import python
from labkit.install.errors import LabError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the forms of POSIX shells")


def test_command_uses_the_door_that_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What labctl.py told its child goes before the words."""
    monkeypatch.setenv("LAB_DOOR", "./labctl")
    assert words.command("up --workers 3") == "./labctl up --workers 3"
    assert words.command() == "./labctl"


def test_script_is_near_in_the_root_and_absolute_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is the one to type where the user stands."""
    monkeypatch.delenv("LAB_DOOR", raising=False)
    monkeypatch.chdir(words.ROOT)
    assert words.command("up").endswith(" labctl.py up")
    monkeypatch.chdir(tmp_path)
    assert words.near("labctl.py") == words.quote(str(words.ROOT / "labctl.py"))


@pytest.mark.parametrize(
    ("typed", "door"),
    [("./labctl", "./labctl"), ("../a b/labctl", "'../a b/labctl'"), ("labctl", "sh labctl")],
)
def test_shell_door_is_repeated_as_it_was_typed(typed: str, door: str) -> None:
    """A script that was given to sh by its bare name needs sh again."""
    assert words.shell_door(typed) == door


def test_python_is_named_only_if_the_name_leads_to_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name that finds another Python, or none, is replaced by the whole path."""
    other = tmp_path / "python3"
    other.symlink_to(os.__file__)
    monkeypatch.setattr("sys.executable", str(other))
    monkeypatch.setenv("PATH", "")
    assert words.python() == str(other)


@pytest.mark.parametrize(
    ("version", "old"), [((3, 6), True), ((3, 10), True), ((3, 11), False), ((4, 0), False)]
)
def test_minimum_python(version: tuple[int, int], *, old: bool) -> None:
    """3.11 is the first that will do."""
    assert python.too_old(version) is old


def test_one_root_of_all_errors() -> None:
    """What the installer raises is shown by the command line like every other error."""
    errors = pytest.importorskip("labkit.errors")
    assert errors.LabError is LabError
