"""What Pythons older than the kit's own are told. Skipped for those that this machine does not have."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.words import ROOT
from tests.checkout import environment, pythons

TOO_OLD = pythons(6, 7, 8, 9, 10)
NEW_ENOUGH = pythons(11, 12, 13, 14)
ROOMS = (
    "labctl.py",
    "verify_setup.py",
    "labkit/words.py",
    "labkit/install",
    "labkit/doctor",
)

PARSE = """
import sys
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as source:
        compile(source.read(), path, "exec")
"""


def run(python: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a script of the root with another Python, without leaving compiled files behind."""
    return subprocess.run(
        [python, "-B", *arguments], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("python", TOO_OLD)
def test_every_file_before_the_environment_parses(python: str) -> None:
    """Whatever labctl.py and verify_setup.py import can be read by an old Python."""
    files = [path for room in ROOMS for path in [ROOT / room, *sorted((ROOT / room).rglob("*.py"))]]
    done = run(python, "-c", PARSE, *(str(path) for path in files if path.is_file()))
    assert done.stderr == ""


@pytest.mark.parametrize("python", TOO_OLD)
def test_door_says_too_old_and_how_to_get_a_newer_one(python: str) -> None:
    """An old Python ends with 1, what was found, what is needed and the commands of three systems."""
    done = run(python, "labctl.py", "up")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Queue Lab needs Python 3.11 or newer. This is Python 3." in done.stderr
    for command in ("apt-get install -y python3.11 ", "brew install", "winget install"):
        assert command in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("python", TOO_OLD)
def test_preflight_runs_on_an_old_python(python: str) -> None:
    """verify_setup.py runs all its checks and fails the one of Python, with the command that mends it."""
    done = run(python, "verify_setup.py", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert checks["Python"]["ok"] is False
    assert checks["Python"]["fix"]
    assert {"venv", "RabbitMQ", "Docker", "memory", "disk"} <= checks.keys()


@pytest.mark.parametrize("python", NEW_ENOUGH)
def test_preflight_accepts_newer_pythons(python: str) -> None:
    """Python 3.11 and later pass."""
    checks = json.loads(run(python, "verify_setup.py", "--json").stdout)["checks"]
    assert checks[0]["name"] == "Python"
    assert checks[0]["ok"] is True


def test_door_needs_no_more_than_the_standard_library(tmp_path: Path) -> None:
    """The preflight runs in an isolated Python without site-packages."""
    done = subprocess.run(
        [sys.executable, "-B", "-S", "-I", ROOT / "verify_setup.py", "--json"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        check=False,
    )
    assert done.stderr == b""
    assert json.loads(done.stdout)["checks"]
