"""A small table of services, and each runtime that can drive it."""

import random
import uuid
from pathlib import Path

import psutil

from labkit.project import Project
from labkit.runtime.base import Runtime
from labkit.runtime.docker.runtime import DockerRuntime
from labkit.runtime.fake import FakeRuntime
from labkit.runtime.local.ports import free_offset
from labkit.runtime.local.processes import stack_of
from labkit.runtime.local.runtime import LocalRuntime
from labkit.settings import base_environment
from labkit.stack import Port, Service
from tests.support import containers

PROGRAM = ("-m", "tests.contract.standin")
TABLE = (
    Service("worker", "does jobs", command=PROGRAM, needs=("desk",), scalable=True, layout="single"),
    Service(
        "pool", "does some jobs", command=PROGRAM, needs=("desk",), scalable=True, layout="per-operation"
    ),
    Service(
        "desk",
        "takes orders",
        command=PROGRAM,
        ports=(Port("http", 8000, docker=8000), Port("extra", 8400, docker=8400)),
        reads=("LAB_PREFETCH",),
    ),
)


def local_runtime(root: Path) -> LocalRuntime:
    """Make a local runtime whose ports nobody uses."""
    offset = free_offset([8000, 8400], random.sample(range(1000, 24_000), 200))
    return LocalRuntime(Project("contract", root, offset), TABLE, environ=base_environment())


def fake_runtime(root: Path) -> FakeRuntime:
    """Make a fake runtime with an offset as good as any."""
    return FakeRuntime(Project("contract", root, 700), TABLE)


def docker_runtime(root: Path) -> DockerRuntime:
    """Make a runtime of containers whose ports nobody uses."""
    offset = free_offset([8000, 8400], random.sample(range(1000, 24_000), 200))
    file = containers.compose_file(root / "docker-compose.yml")
    project = Project(f"contract-{uuid.uuid4().hex[:8]}", root, offset)
    return DockerRuntime(project, TABLE, environ=base_environment(), file=file)


def left_behind(runtime: Runtime, root: Path) -> list[str]:
    """Name what is left of a stack: processes with its mark, containers, networks, volumes."""
    marks = [stack_of(process) for process in psutil.process_iter()]
    processes = [instance for state_dir, instance in marks if state_dir.startswith(str(root))]
    return processes + (containers.left_behind(runtime.project) if runtime.kind == "docker" else [])
