"""labctl for a stack elsewhere: python -m tests.support.door KIND ROOT NAME OFFSET RUNS words."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from labkit.cli.app import app
from labkit.cli.context import Lab
from labkit.project import Project
from labkit.runtime.base import Runtime
from labkit.runtime.docker.runtime import DockerRuntime
from labkit.runtime.local.runtime import LocalRuntime

KINDS = {"local": LocalRuntime, "docker": DockerRuntime}


def door(runtime: Runtime, runs: Path) -> tuple[str, ...]:
    """Return the words before a command."""
    project = runtime.project
    own = (runtime.kind, str(project.root), project.name, str(project.port_offset), str(runs))
    return (sys.executable, "-m", "tests.support.door", *own)


def main() -> None:
    """Run one command."""
    kind, root, name, offset, runs, *words = sys.argv[1:]
    project = Project(name, Path(root), int(offset))
    lab = Lab(open_runtime=lambda _: KINDS[kind](project, environ=dict(os.environ)), runs=Path(runs))
    app(words, prog_name="labctl", obj=lab)


if __name__ == "__main__":
    main()
