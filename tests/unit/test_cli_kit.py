"""doctor, test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from labkit.project import REPOSITORY
from tests.support.lab import World


def test_doctor_answers_in_json(tmp_path: Path) -> None:
    """`doctor --json` prints the object of verify_setup.py; the exit code says whether all is well."""
    result = World.make(tmp_path).run("--project", "nobody", "doctor", "--json")
    found = json.loads(result.stdout)
    assert {"name", "ok", "detail", "fix"} == set(found["checks"][0])
    assert result.exit_code == (0 if found["ok"] else 1)


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
