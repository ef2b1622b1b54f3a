"""A small checkout with the kit's real door and a stand-in command line, for tests that install things."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit.install import wheels
from labkit.install.stamp import BASE, Wanted
from labkit.words import ROOT

DOOR = ("labctl", "labctl.py", "verify_setup.py")
KIT = ("__init__.py", "words.py", "install", "doctor")

CLI = """
import json, os, signal, sys
from importlib import metadata
from labkit.install import environment

def stop(*_):
    os.write(1, b"stopping\\n")  # print is not to be called again while it prints
    sys.exit(5)

command, *rest = sys.argv[1:]
if command == "exit":
    sys.exit(int(rest[0]))
if command == "wait":
    signal.signal(signal.SIGTERM, stop)
    print(os.getpid(), flush=True)
    signal.pause()
if command == "ensure":
    environment.ensure(rest)
packages = {dist.name: dist.version for dist in metadata.distributions()}
print(json.dumps({"arguments": sys.argv[1:], "folder": os.getcwd(), "door": os.environ["LAB_DOOR"],
                  "prefix": sys.prefix, "packages": packages}))
"""

# A package that pip must build, without any help from a network: each build leaves a line in builds.txt and
# lasts until the file `gate` is there.
BACKEND = """
import pathlib, shutil, time
HERE = pathlib.Path(__file__).parent

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with (HERE / "builds.txt").open("a") as log:
        log.write("build\\n")
    while not (HERE / "gate").exists():
        time.sleep(0.02)
    wheel = next(HERE.glob("*.whl"))
    shutil.copy(wheel, folder)
    return wheel.name
"""


class Checkout:
    """A folder with labctl.py in it and packages of our own to install."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.venv = root / ".venv"
        (root / "labkit").mkdir(parents=True)
        for name in DOOR:
            shutil.copy(ROOT / name, root / name)
        for name in KIT:
            copy = shutil.copytree if (ROOT / "labkit" / name).is_dir() else shutil.copy
            copy(ROOT / "labkit" / name, root / "labkit" / name)
        (root / "labkit/cli.py").write_text(CLI)
        self.require()

    def require(self, *base: str, test: tuple[str, ...] = ()) -> None:
        """Write pyproject.toml with these requirements."""
        text = f"[project]\ndependencies = {json.dumps(base)}\n"
        text += f"[project.optional-dependencies]\ntest = {json.dumps(test)}\n"
        (self.root / "pyproject.toml").write_text(text)

    def bundle(self, folder: Path, *names: str) -> Path:
        """Write a bundle of these packages, for the requirements of now."""
        for name in names:
            wheel(folder / wheels.WHEELS, name)
        digests = {BASE: Wanted(self.root).digest(BASE)}
        made = wheels.Bundle(wheels.this_python(), wheels.this_machine(), digests, "now")
        (folder / wheels.FILE).write_text(made.encode())
        return folder

    def start(self, *arguments: str, door: str = "labctl.py") -> subprocess.Popen[str]:
        """Start the door with the Python of the tests."""
        return subprocess.Popen(
            [sys.executable, self.root / door, *arguments],
            cwd=self.root,
            env=environment(),
            text=True,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, door: str = "labctl.py") -> "subprocess.CompletedProcess[str]":
        """Run the door to its end."""
        with self.start(*arguments, door=door) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def told(self, *arguments: str) -> dict[str, Any]:
        """Run the stand-in command line and return what it told."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def stamp(self) -> dict[str, Any]:
        """Return the environment's record of itself."""
        stamp: dict[str, Any] = json.loads((self.venv / "queue-lab.json").read_text())
        return stamp


def pythons(*minors: int) -> list[str]:
    """Return a working Python 3.x on this machine for each of `minors`, where there is one."""
    found = []
    for minor in minors:
        versions = Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3.{minor}")
        names = [shutil.which(f"python3.{minor}"), *map(str, versions)]
        found += [name for name in names if name and _runs(name)][:1]
    return found


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def environment(**extra: str) -> dict[str, str]:
    """Return the environment of a person: without what the test runner's own door told it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LAB_")}
    return {**kept, **extra}


def wheel(folder: Path, name: str, version: str = "1.0") -> str:
    """Write a wheel of one module into `folder` and return the requirement that names it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return f"{name} @ {path.as_uri()}"


def slow_package(folder: Path, name: str) -> str:
    """Write a package that takes as long to build as the file `gate` is missing; return its requirement."""
    wheel(folder, name)
    (folder / "backend.py").write_text(BACKEND)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    return f"{name} @ {folder.as_uri()}"


def eventually(condition: Callable[[], bool], within_s: float = 30) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        pause.wait(0.02)
