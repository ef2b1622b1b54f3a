"""doctor, test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from labkit.project import REPOSITORY
from labkit.suite import Part, parts, run
from tests.support.lab import World


def test_doctor_answers_in_json(tmp_path: Path) -> None:
    """`doctor --json` prints the object of verify_setup.py; the exit code says whether all is well."""
    result = World.make(tmp_path).run("--project", "nobody", "doctor", "--json")
    found = json.loads(result.stdout)
    assert {"name", "ok", "detail", "fix"} == set(found["checks"][0])
    assert result.exit_code == (0 if found["ok"] else 1)


def test_a_part_that_fails_does_not_stop_the_others() -> None:
    """All parts run, in order, each told before it begins."""
    begun: list[str] = []
    wanted = [Part("one", (), 1), Part("two", (), 1)]
    found = list(run(wanted, lambda part: begun.append(part.name), lambda part: int(part.name == "one")))
    assert begun == ["one", "two"]
    assert [outcome.passed for outcome in found] == [False, True]


def test_a_part_is_a_real_process() -> None:
    """The exit status of the tool decides."""
    broken = Part("broken", ("-c", "raise SystemExit(3)"), 60)
    assert [outcome.status for outcome in run([broken], lambda _: None)] == [3]


def test_further_arguments_go_to_pytest() -> None:
    """Linter and type checker come first; what stands after `--` reaches pytest only."""
    found = parts(["tests/unit", "-k", "ledger"])
    assert [part.name for part in found] == ["ruff check", "ruff format", "mypy", "tests"]
    assert found[-1].command == ("-m", "pytest", "tests/unit", "-k", "ledger")


def test_each_tier_is_a_part_with_a_budget() -> None:
    """No folder of tests is left out, and all budgets together keep what CI allows."""
    tests = {path.parent.name for path in (REPOSITORY / "tests").glob("*/test_*.py")}
    found = parts()
    assert {part.command[-1] for part in found if part.command[1] == "pytest"} == {
        f"tests/{name}" for name in tests
    }
    assert sum(part.budget_s for part in found) <= 30 * 60


ELSEWHERE = """
import signal, sys
for name in ("circus", "fcntl", "grp", "httptools", "nanio", "pwd", "tornado", "uvloop", "zmq"):
    sys.modules[name] = None
del signal.SIGHUP
import labkit.cli.app
"""


def test_the_commands_import_without_what_windows_lacks() -> None:
    """Every command can be imported where the POSIX-only modules and packages do not exist."""
    found = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
