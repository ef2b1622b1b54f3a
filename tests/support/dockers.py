"""A program `docker` that says what a test wants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, answers: Mapping[str, str]) -> None:
    """Write the program: the beginning of what it is asked, to what it prints; "!" first: an error.

    Whatever else it is asked is an error without words. What it was asked goes into the file `asked`.
    """
    cases = "".join(
        f"'{asked}'*) echo '{said.lstrip('!')}' {'>&2' if said.startswith('!') else ''}\n"
        f"exit {int(said.startswith('!'))};;\n"
        for asked, said in answers.items()
    )
    program = folder / "docker"
    program.write_text(f'#!/bin/sh\necho "$*" >>"{folder}/asked"\ncase "$*" in\n{cases}*) exit 9;;\nesac\n')
    program.chmod(0o755)


def asked(folder: Path) -> list[str]:
    """Return what the program was asked."""
    return (folder / "asked").read_text().splitlines()
