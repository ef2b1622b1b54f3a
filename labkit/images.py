"""The images of the stack: which there are, built and pulled, saved into a file and loaded again."""

from __future__ import annotations

import subprocess
import sys

from labkit.project import REPOSITORY

COMPOSE = ("docker", "compose", "--profile", "*")


def main(arguments: list[str]) -> int:
    """Build the image of the services: `python -m labkit.images build`."""
    if arguments != ["build"]:
        sys.stderr.write("Usage: python -m labkit.images build\n")
        return 2
    return subprocess.call([*COMPOSE, "build"], cwd=REPOSITORY)  # noqa: S603 - a fixed list


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
