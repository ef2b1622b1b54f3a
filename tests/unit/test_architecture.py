"""Who may import what, who may read the environment, and how long a file may be."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("services", "labkit", "labs", "experiments", "notebooks", "test_images", "tests")
LONGEST = 400

# What a package may import of this repository, besides itself.
ARROWS = {
    "services.common": (),
    "services.api": ("services.common", "services.worker.processors"),
    "services.worker": ("services.common",),
    "services.worker.processors": ("services.common.errors",),
    "services.tracker": ("services.common",),
    "services.notifier": ("services.common",),
    "services.dashboard": ("services.common",),
    "labkit": ("services.common", "services.worker.processors", "test_images"),
    "test_images": (),
    "labs": ("labkit",),
    "experiments": ("labkit",),
    "notebooks": ("labkit",),
}

# Libraries that a seam hides: only its own modules know them.
SEAMS = {
    # The last one measures what RabbitMQ does without this pipeline around it.
    "pika": {"services/common/amqp.py", "services/common/pika_async.py", "labkit/bench/bare.py"},
    "minio": {"services/common/storage.py"},
    "circus": {"labkit/runtime/local/"},
    "sqlalchemy": {"services/common/jobs/"},
    "docker": {"labkit/runtime/docker/"},
    "rich": {"labkit/cli/", "labkit/views/"},
    "typer": {"labkit/cli/"},
}


def _sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _module(path: Path) -> str:
    return _named(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@functools.cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def _imports(path: Path) -> tuple[str, ...]:
    """Return every module that a file imports, wherever the import stands, with each name taken from it."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_named(path)} imports by a relative name"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _package(module: str) -> str:
    return max((package for package in ARROWS if _within(module, package)), key=len, default="")


def _own(imported: str) -> bool:
    return imported.partition(".")[0] in {package.partition(".")[0] for package in ARROWS}


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != "tests"])
def test_imports_follow_the_arrows(folder: str) -> None:
    """Labs use the instrument, the instrument knows the contract, programs know nothing but the contract."""
    wrong = []
    for path in _sources(folder):
        home = _package(_module(path))
        allowed = (home, *ARROWS.get(home, ())) if home else ()
        wrong += [
            f"{_named(path)} imports {imported}"
            for imported in _imports(path)
            if _own(imported) and not any(_within(imported, package) for package in allowed)
        ]
    assert wrong == []


@pytest.mark.parametrize("library", SEAMS)
def test_a_seam_hides_its_library(library: str) -> None:
    """Another broker, store or supervisor would be another body of one seam, and nothing else."""
    wrong = [
        _named(path)
        for path in _sources("services", "labkit")
        if not _named(path).startswith(tuple(SEAMS[library]))
        and any(_within(imported, library) for imported in _imports(path))
    ]
    assert wrong == []


# Beside the settings: what runs before anything is installed, and a program that is compared with ours.
ENVIRONMENT = {
    "labkit/settings.py",
    "labkit/words.py",
    "labkit/doctor/",
    "labkit/install/",
    "labkit/bench/bare.py",
    "labctl.py",
    "verify_setup.py",
}


def test_only_settings_read_the_environment() -> None:
    """What a program does depends on its settings; nobody looks past them."""
    files = [*_sources("services", "labkit", "test_images"), ROOT / "labctl.py", ROOT / "verify_setup.py"]
    wrong = [
        f"{_named(path)}:{node.lineno}"
        for path in files
        if not _named(path).startswith(tuple(ENVIRONMENT))
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and _is_os(node.value)
    ]
    assert wrong == []


def _is_os(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "os"


def test_no_file_is_too_long() -> None:
    """A file that one cannot keep in one's head is two files."""
    files = [*_sources(*FOLDERS), ROOT / "labctl.py", ROOT / "verify_setup.py"]
    lengths = {_named(path): len(path.read_text().splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_every_package_is_known_here() -> None:
    """A new program gets its arrows written down before it gets imports."""
    programs = {f"services.{path.parent.name}" for path in (ROOT / "services").glob("*/__init__.py")}
    assert programs <= set(ARROWS)
