"""The kit's own checks: parts, lanes, and an end with Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from labkit.project import REPOSITORY
from labkit.suite import TIERS_S, Outcome, Part, docker_lanes, lanes, run
from tests.checkout import eventually

CI_S = 30 * 60
TESTS = REPOSITORY / "tests"


def part(name: str, program: str = "") -> Part:
    """Make a part that runs a small program."""
    return Part(name, ("-c", program), 60)


def ran(*wanted: Sequence[Part]) -> tuple[list[str], list[Outcome]]:
    """Run lanes; return the names of the parts as they began, and the outcomes as they were told."""
    begun: list[str] = []
    ended: list[Outcome] = []
    outcomes = run(wanted, lambda part: begun.append(part.name), ended.append)
    assert outcomes == ended
    return begun, ended


def test_a_part_that_fails_does_not_stop_the_others() -> None:
    """All parts of a lane run, in order, each told before it begins; the tool's exit status decides."""
    begun, ended = ran([part("one", "raise SystemExit(3)"), part("two")])
    assert begun == ["one", "two"]
    assert [(outcome.status, outcome.passed) for outcome in ended] == [(3, False), (0, True)]


MEET = """
import pathlib, sys, time
mine, other = map(pathlib.Path, {paths!r})
print("first line")
print("an error", file=sys.stderr)
mine.touch()
while not other.exists():
    time.sleep(0.01)
print("last line")
"""


def test_lanes_run_side_by_side_and_keep_their_words_together(tmp_path: Path) -> None:
    """Two parts that wait for one another both end, and what each printed comes in one piece."""
    here, there = str(tmp_path / "a"), str(tmp_path / "b")
    _, ended = ran(
        [part("a", MEET.format(paths=(here, there)))], [part("b", MEET.format(paths=(there, here)))]
    )
    assert {outcome.part.name for outcome in ended} == {"a", "b"}
    said = [sorted(outcome.output.splitlines()) for outcome in ended]
    assert said == [["an error", "first line", "last line"]] * 2


CLEANING = """
import pathlib, signal, time
begun, cleaned = map(pathlib.Path, {paths!r})
try:
    begun.touch()
    time.sleep(60)
except KeyboardInterrupt:
    print("cleaning up")
    cleaned.touch()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_all_lanes_and_lets_them_clean_up(tmp_path: Path, number: signal.Signals) -> None:
    """Each part under way gets Ctrl-C, its last words are told, and the next ones do not begin."""
    files = [(tmp_path / f"begun-{lane}", tmp_path / f"cleaned-{lane}") for lane in "ab"]
    wanted = [
        [part("first", CLEANING.format(paths=tuple(map(str, paths)))), part("never")] for paths in files
    ]
    begun: list[str] = []
    ended: list[Outcome] = []

    def interrupt() -> None:
        eventually(lambda: all(path.exists() for path, _ in files))
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        run(wanted, lambda part: begun.append(part.name), ended.append)
    assert begun == ["first", "first"]
    assert [outcome.output for outcome in ended] == ["cleaning up\n"] * 2
    assert all(path.exists() for _, path in files)


def test_further_arguments_go_to_pytest() -> None:
    """Linter and type checker come first; what stands after `--` reaches pytest only, in one lane."""
    (lane,) = lanes(["tests/unit", "-k", "ledger"])
    assert [part.name for part in lane] == ["ruff check", "ruff format", "mypy", "tests"]
    assert lane[-1].command == ("-m", "pytest", "tests/unit", "-k", "ledger")


def test_each_tier_is_a_part_with_a_budget() -> None:
    """No folder of tests is left out, and each lane keeps what CI allows."""
    tests = {path.parent.name for path in (REPOSITORY / "tests").glob("*/test_*.py")}
    assert tests == {"docker", *(name for tiers in TIERS_S for name in tiers)}  # all of docker are marked so
    names = {part.command[-1] for lane in lanes() for part in lane if part.command[1] == "pytest"}
    assert names == {f"tests/{name}" for name in tests - {"docker"}}
    longest = max(sum(part.budget_s for part in lane) for lane in (*lanes(), *docker_lanes()))
    assert longest <= CI_S


def test_no_test_that_needs_docker_is_left_out() -> None:
    """The lanes of --docker name every folder that has such tests."""
    marked = {path.parent for path in TESTS.glob("*/*.py") if "pytest.mark.docker" in path.read_text()}
    named = [word for lane in docker_lanes() for part in lane for word in part.command]
    assert {path for path in marked - {TESTS / "unit"} if f"tests/{path.name}" not in named} == set()


MARKED = """
import pytest

@pytest.mark.docker
def test_with(): pass

def test_without(): pass
"""


@pytest.mark.parametrize(
    ("option", "env", "result"),
    [
        ((), {}, "1 passed, 1 deselected"),
        (("--docker",), {}, "1 skipped, 1 deselected"),
        (("--docker",), {"CI": "true"}, "1 deselected, 1 error"),
    ],
)
def test_docker_tests_are_a_suite_of_their_own(
    tmp_path: Path, option: tuple[str, ...], env: dict[str, str], result: str
) -> None:
    """They run with --docker only; where no engine answers they are skipped, and an error where CI is set."""
    (tmp_path / "test_marked.py").write_text(MARKED)
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-rsE", *option, str(tmp_path)],
        cwd=REPOSITORY,
        env={"PATH": str(tmp_path), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result in found.stdout
    assert ("Docker: not installed" in found.stdout) is bool(option)
