"""labctl for a stack whose state is elsewhere: python -m tests.support.door ROOT NAME OFFSET RUNS words."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from labkit.cli.app import app
from labkit.cli.context import Lab
from labkit.project import Project
from labkit.runtime.local.runtime import LocalRuntime


def door(project: Project, runs: Path) -> tuple[str, ...]:
    """Return the words before a command."""
    own = (str(project.root), project.name, str(project.port_offset), str(runs))
    return (sys.executable, "-m", "tests.support.door", *own)


def main() -> None:
    """Run one command."""
    root, name, offset, runs, *words = sys.argv[1:]
    project = Project(name, Path(root), int(offset))
    lab = Lab(open_runtime=lambda _: LocalRuntime(project, environ=dict(os.environ)), runs=Path(runs))
    app(words, prog_name="labctl", obj=lab)


if __name__ == "__main__":
    main()
