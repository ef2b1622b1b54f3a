"""What can run the stack here, what `labctl up` would take, and whether that has all it needs."""

import re
from typing import NamedTuple

from labkit import words
from labkit.doctor import brokers, engine, images
from labkit.doctor.check import Result, Results, only_noted, passed
from labkit.doctor.project import DOCKER, LOCAL, Project, setting
from labkit.install import packages, programs


class Choice(NamedTuple):
    """The runtime that `up` takes, and the reason in words."""

    runtime: str
    why: str


def check_runtimes(choice: Choice, docker: Results) -> Results:
    """Check RabbitMQ, and what Docker has; what the chosen runtime does not need is optional."""
    server = [brokers.check_rabbitmq()]
    picked = Result("runtime", ok=True, detail=f"up takes {choice.runtime}: {choice.why}")
    if choice.runtime == LOCAL:
        return [*server, check_prometheus(), *only_noted(docker), picked]
    return [*only_noted(server), *docker, picked, *(_given() if passed(docker) else [])]


def choose(project: Project, *, docker_answers: bool) -> Choice:
    """Say which runtime `labctl up` takes here."""
    if project.started:
        return Choice(project.runtime, "the stack of this project is up there")
    for said, place in ((setting("LAB_RUNTIME"), "LAB_RUNTIME"), (_of_class(), "class.toml")):
        if said in (LOCAL, DOCKER):
            return Choice(said, f"{place} says so")
        if said:  # auto: it stands before class.toml
            break
    if docker_answers:
        return Choice(DOCKER, "an engine with Compose v2 answers")
    return Choice(LOCAL, "no Docker engine with Compose v2 answers")


def check_docker() -> Results:
    """Tell whether an engine answers, and with which Compose."""
    found = engine.check_engine()
    return [found, engine.check_compose()] if found.ok else [found]


def check_prometheus() -> Result:
    """Tell whether Prometheus is installed; the stack runs without it."""
    found = programs.find("prometheus")
    if found:
        return Result("Prometheus", ok=True, detail=found)
    fix = packages.command(programs.PROGRAMS["prometheus"].need)
    detail = "not installed; only up --observability needs it"
    return Result("Prometheus", ok=None, detail=detail, fix=fix, optional=True)


def _given() -> Results:
    """Check what the engine was given, and the images."""
    told, sizes = engine.facts(), images.sizes()
    spare = images.extras()
    missing = [name for name, size in sizes.items() if size is None and name not in spare]
    room_gb = images.ROOM_GB if missing else engine.LEAST_GB
    return [engine.check_memory(told), engine.check_disk(told, room_gb), *images.check_images(sizes)]


def _of_class() -> str:
    try:
        text = (words.ROOT / "class.toml").read_text(encoding="utf-8")
    except OSError:
        return ""
    said = re.search(r"^runtime\s*=\s*[\"'](\w+)[\"']", text, flags=re.MULTILINE)
    return said.group(1) if said else ""
