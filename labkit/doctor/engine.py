"""Checks of Docker: does its engine answer, may this user ask it, and what it was given."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Tuple

from labkit import words
from labkit.doctor.check import Result

ANSWER_S = 10  # how long an engine may take to answer
GB = 10**9
LEAST_GB = 1  # free, for what containers write
MEMORY_GB = 3  # what the stack with two workers and a load on it takes
USABLE = 0.9  # an engine that was given 3 GB shows less
DESKTOP = "Docker Desktop"

GUIDE = "https://docs.docker.com/engine/install/"


class Answer(NamedTuple):
    """What a command of Docker said."""

    ok: bool
    text: str
    timed_out: bool = False


class Facts(NamedTuple):
    """What the engine tells of itself. memory: bytes it may use, 0 if not told; folder: of its images."""

    memory: int = 0
    folder: str = ""
    desktop: bool = False


def check_docker() -> Result:
    """Tell in one line whether a Docker engine with Compose v2 answers."""
    engine = check_engine()
    compose = check_compose() if engine.ok else engine
    if not compose.ok:
        return compose._replace(name="Docker")
    return Result("Docker", ok=True, detail=f"{engine.detail}, Compose {compose.detail}")


def check_engine() -> Result:
    """Tell whether a Docker engine answers this user."""
    if not shutil.which("docker"):
        return Result("Docker", ok=False, detail="not installed", fix=install_docker())
    said = ask("version", "--format", "{{.Server.Version}}")
    if said.ok:
        return Result("Docker", ok=True, detail=f"engine {said.text}")
    if said.timed_out:
        return Result("Docker", ok=None, detail=f"no answer within {ANSWER_S} s", fix=start_docker())
    if "permission denied" in said.text.lower():
        fix = 'sudo usermod -aG docker "$USER"   (then log in again)'
        return Result("Docker", ok=False, detail="this user may not use the engine's socket", fix=fix)
    return Result("Docker", ok=False, detail="the engine does not answer", fix=start_docker())


def check_compose() -> Result:
    """Tell whether the command `docker compose` is there, version 2 or later."""
    said = ask("compose", "version", "--short")
    version = said.text.lstrip("v")
    if said.ok and version[:1].isdigit() and int(version.split(".")[0]) >= 2:  # noqa: PLR2004 - Compose v2
        return Result("Compose", ok=True, detail=version)
    if shutil.which("docker-compose"):
        detail = "no `docker compose`; the old docker-compose is not enough"
    else:
        detail = "no `docker compose`, which is Compose v2"
    return Result("Compose", ok=False, detail=detail, fix=install_docker())


def facts() -> Facts:
    """Ask the engine what it was given; empty facts if it does not tell."""
    said = ask("info", "--format", "{{json .}}")
    try:
        told = json.loads(said.text) if said.ok else {}
    except ValueError:
        told = {}
    desktop = DESKTOP in str(told.get("OperatingSystem", ""))
    return Facts(int(told.get("MemTotal") or 0), str(told.get("DockerRootDir") or ""), desktop)


def check_memory(given: Facts) -> Result:
    """Warn when Docker was given less memory than the stack likes."""
    name = "Docker memory"
    if not given.memory:
        return Result(name, ok=None, detail="the engine does not tell", optional=True)
    detail = f"{given.memory / GB:.1f} GB"
    if given.memory >= MEMORY_GB * GB * USABLE:
        return Result(name, ok=True, detail=detail)
    detail += f"; with less than {MEMORY_GB} GB services may be ended under load"
    return Result(name, ok=None, detail=detail, fix=more_memory(desktop=given.desktop), optional=True)


def check_disk(given: Facts, needed_gb: float) -> Result:
    """Tell whether there is room where the engine keeps its images."""
    # Inside a virtual machine that folder is none of this system's; what grows is a file in the home folder.
    own = bool(given.folder) and Path(given.folder).exists() and not given.desktop
    free = shutil.disk_usage(given.folder if own else str(Path.home())).free
    detail = f"{free / GB:.1f} GB free for images"
    if free >= needed_gb * GB:
        return Result("Docker disk", ok=True, detail=detail)
    detail += f"; {needed_gb:g} GB are needed"
    return Result("Docker disk", ok=False, detail=detail, fix="docker system prune")


def install_docker() -> str:
    """Return the command that installs Docker with Compose v2 here, or the page that tells how."""
    if sys.platform == "darwin":
        return "brew install --cask docker-desktop"
    if sys.platform == "win32":
        return "winget install --exact --id Docker.DockerDesktop"
    system, version = _linux()
    if system == "ubuntu":
        return "sudo apt-get install -y docker.io docker-compose-v2"
    if system == "debian" and version >= 13:  # noqa: PLR2004 - Debian 12 has Compose v1 only
        return "sudo apt-get install -y docker.io docker-compose"
    if system == "fedora":
        return "sudo dnf install -y moby-engine docker-compose"
    return GUIDE


def start_docker() -> str:
    """Return the command that starts the Docker engine here."""
    if sys.platform == "darwin":
        return "open -a Docker"
    if sys.platform == "win32":
        return 'start "" "Docker Desktop"'
    return "sudo systemctl start docker"


def more_memory(*, desktop: bool) -> str:
    """Return how Docker gets more memory, or how the stack takes less."""
    if desktop or sys.platform in ("darwin", "win32"):
        return "Docker Desktop: Settings, Resources, Memory"
    return words.command("up --workers 1")


def ask(*arguments: str, within_s: float = ANSWER_S) -> Answer:
    """Run a command of Docker that only reads; stdout when it worked, else all of its words."""
    try:
        done = subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(ok=False, text="", timed_out=True)
    except OSError as error:
        return Answer(ok=False, text=str(error))
    output = done.stdout if done.returncode == 0 else done.stdout + done.stderr
    return Answer(ok=done.returncode == 0, text=output.decode(errors="replace").strip())


def _linux() -> Tuple[str, int]:
    """Return the distribution's id and major version; ("", 0) when it does not tell."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return "", 0
    known = dict(line.split("=", 1) for line in lines if "=" in line)
    major = known.get("VERSION_ID", "").strip('"').split(".")[0]
    return known.get("ID", "").strip('"'), int(major) if major.isdigit() else 0
