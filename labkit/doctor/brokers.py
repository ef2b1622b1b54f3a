"""Checks of what can run the broker: RabbitMQ on this machine, or Docker with Compose."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, NamedTuple, Tuple

from labkit.doctor.check import Result
from labkit.install import packages, rabbitmq

ANSWER_S = 10  # how long a Docker engine may take to answer

DOCKER_GUIDE = "https://docs.docker.com/engine/install/"


def check_brokers() -> List[Result]:
    """Check RabbitMQ and Docker. Docker is optional, and with it so is RabbitMQ."""
    server = check_rabbitmq()
    docker = check_docker()
    return [_optional(server) if docker.ok else server, _optional(docker)]


def check_rabbitmq() -> Result:
    """Tell whether a RabbitMQ that is new enough is installed."""
    install = packages.command(rabbitmq.PACKAGE) or ("wsl --install" if sys.platform == "win32" else "")
    server = rabbitmq.find_server()
    if server is None:
        return Result("RabbitMQ", ok=False, detail="not installed", fix=install or rabbitmq.NEWER)
    if server.new_enough is None:
        return Result("RabbitMQ", ok=None, detail=f"{server.path} does not tell its version", fix=install)
    detail = f"{server.version} ({server.path})"
    if server.new_enough:
        return Result("RabbitMQ", ok=True, detail=detail)
    return Result("RabbitMQ", ok=False, detail=f"{detail}; 3.10 is needed", fix=rabbitmq.NEWER)


def check_docker() -> Result:
    """Tell whether a Docker engine with Compose 2 answers."""
    if not shutil.which("docker"):
        return Result("Docker", ok=False, detail="not installed", fix=install_docker())
    engine = _ask(["docker", "version", "--format", "{{.Server.Version}}"])
    if engine.timed_out:
        return Result("Docker", ok=None, detail=f"no answer within {ANSWER_S} s", fix=start_docker())
    if not engine.ok:
        return Result("Docker", ok=False, detail="the engine does not answer", fix=_engine_fix(engine.text))
    compose = _ask(["docker", "compose", "version", "--short"])
    version = compose.text.lstrip("v")
    if not compose.ok or not version[:1].isdigit() or int(version.split(".")[0]) < 2:  # noqa: PLR2004 - Compose v2
        return Result("Docker", ok=False, detail=f"engine {engine.text}, no Compose v2", fix=install_docker())
    return Result("Docker", ok=True, detail=f"engine {engine.text}, Compose {version}")


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
    return DOCKER_GUIDE


def start_docker() -> str:
    """Return the command that starts the Docker engine here."""
    if sys.platform == "darwin":
        return "open -a Docker"
    if sys.platform == "win32":
        return 'start "" "Docker Desktop"'
    return "sudo systemctl start docker"


class _Answer(NamedTuple):
    ok: bool
    text: str
    timed_out: bool = False


def _ask(command: List[str]) -> _Answer:
    """Run a command that only reads; stdout when it worked, else all of its words."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=ANSWER_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _Answer(ok=False, text="", timed_out=True)
    except OSError as error:
        return _Answer(ok=False, text=str(error))
    output = done.stdout if done.returncode == 0 else done.stdout + done.stderr
    return _Answer(ok=done.returncode == 0, text=output.decode(errors="replace").strip())


def _engine_fix(said: str) -> str:
    if "permission denied" in said.lower():
        return 'sudo usermod -aG docker "$USER"   (then log in again)'
    return start_docker()


def _linux() -> Tuple[str, int]:
    """Return the distribution's id and major version; ("", 0) when it does not tell."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return "", 0
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    major = facts.get("VERSION_ID", "").strip('"').split(".")[0]
    return facts.get("ID", "").strip('"'), int(major) if major.isdigit() else 0


def _optional(result: Result) -> Result:
    """Turn what is missing into a note."""
    ok = True if result.ok else None
    return result._replace(ok=ok, optional=True, detail=result.detail + ("" if ok else " (optional)"))
