"""What a room without a network needs: wheels for machines like this one, the kit itself, a page of words."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import BadValue, LabError
from labkit.images import ids, save
from labkit.install import wheels
from labkit.install.stamp import BASE, Wanted
from labkit.project import REPOSITORY

GROUPS = (BASE, "notebooks", "dashboard")
"""What a class uses of pyproject.toml."""

SOURCE, README, LOG = "queue-lab.zip", "README.txt", "pip.log"
_ERROR = "ERROR: "

WORDS = """\
Queue Lab for a room without a network
Made {made} for Python {python} on {machine}: every computer of the room must be of that kind.

In this folder
  wheels/        {count} Python packages, {size:.0f} MB
{images}{source}
Each computer also needs, before the class
  Python {python}    with the module venv. Debian and Ubuntu: sudo apt-get install python{python}-venv
{broker}
Then, on each computer
  1. Copy this folder onto it{unpack}.
  2. In the folder of Queue Lab: python3 labctl.py prepare --from {folder}
  3. It ends in READY and a code. From then on nothing needs the network.
"""


LOCAL_BROKER = """\
  RabbitMQ       3.10 or newer. Debian and Ubuntu: sudo apt-get install rabbitmq-server
                 Without a network, from package files. Get them on a computer of the same
                 system that has a network, and no RabbitMQ yet:
                   sudo apt-get install --download-only rabbitmq-server
                 They lie in /var/cache/apt/archives then. Install them with:
                   sudo dpkg -i *.deb
"""

DOCKER_BROKER = """\
  Docker         Docker Desktop, or a Docker Engine with Compose v2; it must be running.
                 RabbitMQ is among the images.
"""


@dataclass(frozen=True, slots=True)
class Bundled:
    """A bundle that was written. size: of the wheels, in bytes. source: whether the kit itself is in it.

    images: how many are in it; images_size: of their archive, in bytes.
    """

    folder: Path
    wheels: int
    size: int
    python: str
    machine: str
    source: bool
    images: int = 0
    images_size: int = 0


def write(
    folder: Path,
    root: Path = REPOSITORY,
    groups: Sequence[str] = GROUPS,
    images: Sequence[str] = (),
    counted: Callable[[int], None] = lambda _: None,
) -> Bundled:
    """Write a bundle into `folder`, and see that pip can install all of it without a network.

    What pip fetches, and from where, the user's own settings of pip say. images: names of images that are on
    this machine, to be saved too; `counted` hears of their bytes. Raises BadValue when something else is in
    the folder, LabError when pip or Docker fails.
    """
    _take(folder)
    wanted = Wanted(root)
    lines = [line for group in groups for line in wanted.groups[group]]
    pins = ["-c", str(wanted.constraints)] if wanted.constraints else []
    place = folder / wheels.WHEELS
    _pip("fetch", folder, "wheel", "--wheel-dir", str(place), *pins, *lines)
    only = ("--no-index", "--find-links", str(place))
    _pip("install again", folder, "install", "--dry-run", "--ignore-installed", *only, *pins, *lines)
    source = _archive(folder / SOURCE, root)
    saved = save(images, folder / wheels.IMAGES, counted) if images else 0
    digests = {group: wanted.digest(group) for group in groups}
    bundle = wheels.Bundle(
        wheels.this_python(),
        wheels.this_machine(),
        digests,
        time.strftime("%Y-%m-%d %H:%M"),
        ids(images) if images else None,
    )
    found = [path.stat().st_size for path in place.glob("*.whl")]
    made = Bundled(folder, len(found), sum(found), bundle.python, bundle.machine, source, len(images), saved)
    (folder / README).write_text(readme(made, bundle.made), encoding="utf-8")
    (folder / LOG).unlink()
    (folder / wheels.FILE).write_text(bundle.encode(), encoding="utf-8")  # last: now it is whole
    return made


def readme(made: Bundled, when: str) -> str:
    """Return the page that lies in the bundle."""
    return WORDS.format(
        made=when,
        python=made.python,
        machine=made.machine,
        count=made.wheels,
        size=made.size / 1e6,
        images=f"  {wheels.IMAGES}  {made.images} Docker images, {made.images_size / 1e6:.0f} MB\n"
        if made.images
        else "",
        broker=DOCKER_BROKER if made.images else LOCAL_BROKER,
        source=f"  {SOURCE}  Queue Lab itself\n" if made.source else "",
        unpack=f", and unpack {SOURCE}"
        if made.source
        else " and the folder of Queue Lab, without .venv and .lab",
        folder="FOLDER",
    )


def _take(folder: Path) -> None:
    """Make the folder ours: empty, or a bundle (half made, perhaps) that is made anew."""
    ours = {wheels.WHEELS, wheels.FILE, wheels.IMAGES, SOURCE, README, LOG}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = sorted({path.name for path in folder.iterdir()} - ours)
        if not others:
            (folder / wheels.FILE).unlink(missing_ok=True)
            shutil.rmtree(folder / wheels.WHEELS, ignore_errors=True)
    except OSError as error:
        raise LabError(f"The bundle cannot be written: {error}.", "Name another folder.") from error
    if others:
        raise BadValue(f"{folder} holds something else: {others[0]}.", "Name a new folder, or an empty one.")


def _pip(verb: str, folder: Path, *words: str) -> None:
    log = folder / LOG
    flags = ("--no-input", "--disable-pip-version-check")
    command = [sys.executable, "-I", "-m", "pip", words[0], *flags, *words[1:]]
    with log.open("wb") as sink:
        status = subprocess.call(  # noqa: S603 - this Python's own pip
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
    if status:
        said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        first = next(
            (line.removeprefix(_ERROR) for line in said if line.startswith(_ERROR)), (said or ["?"])[-1]
        )
        raise LabError(
            f"pip could not {verb} the packages: {first}", f"Check the network. The whole log: {log}"
        )


def _archive(target: Path, root: Path) -> bool:
    """Write the kit itself, as it was last committed, if this is a clone with git at hand."""
    git = shutil.which("git")
    if not git or not (root / ".git").exists():
        return False
    command = [
        git,
        "-C",
        str(root),
        "archive",
        "--format=zip",
        "--prefix=queue-lab/",
        "-o",
        str(target.resolve()),
    ]
    status = subprocess.call(  # noqa: S603 - a fixed list
        [*command, "HEAD"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return status == 0
