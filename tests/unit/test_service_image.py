"""The image of the programs: what it installs, and what gets into it."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ROOT / "services"

# Loaded by name, by SQLAlchemy and by uvicorn.
UNSEEN = {"psycopg", "httptools", "websockets"}
# Part of pydantic.
INCLUDED = {"pydantic-core"}


def _name(requirement: str) -> str:
    return re.split(r"[\[=<>;]", requirement)[0].strip().lower().replace("_", "-")


def _lines(path: Path) -> set[str]:
    return {_name(line) for line in path.read_text().splitlines() if line and not line.startswith("#")}


def _imported() -> set[str]:
    """Return the distributions that the programs import."""
    modules = set()
    for path in SERVICES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.split(".")[0])
    owners = packages_distributions()
    return {_name(owners[module][0]) for module in modules - sys.stdlib_module_names - {"services"}}


def test_the_image_installs_what_the_programs_import() -> None:
    """Nothing is missing, and nothing of labctl's own gets in."""
    assert _lines(SERVICES / "requirements.txt") == _imported() - INCLUDED | UNSEEN


def test_every_library_of_the_image_has_its_version() -> None:
    """An image that is built next year is the image of this year."""
    assert _lines(SERVICES / "requirements.txt") <= _lines(ROOT / "constraints.txt")


def test_the_dockerfile_builds_on_old_and_new_builders() -> None:
    """What only BuildKit knows is not used, and the syntax line, which asks a registry, neither."""
    text = (SERVICES / "Dockerfile").read_text()
    assert not re.search(r"^# *syntax=|--mount|--chmod|--link|<<", text, re.MULTILINE)


def test_the_program_is_nobody() -> None:
    """The image's last user is not root, and the file is in two stages."""
    words = [line.split() for line in (SERVICES / "Dockerfile").read_text().splitlines() if line]
    assert [line[1] for line in words if line[0] == "USER"][-1] == "lab"
    assert len([line for line in words if line[0] == "FROM"]) == 2
