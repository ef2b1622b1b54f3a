"""What only a stack of containers does: its troubles, its images, and stacks that Compose started alone."""

from __future__ import annotations

import random
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.errors import ImageMissing, NoDocker, PortTaken, StartFailed, Unsupported
from labkit.project import Project
from labkit.runtime.base import State
from labkit.runtime.docker.names import compose_project
from labkit.runtime.docker.runtime import DockerRuntime
from labkit.runtime.local.ports import free_offset
from labkit.runtime.record import record_path
from labkit.settings import base_environment
from labkit.stack import Options
from tests.contract.bodies import TABLE
from tests.support.containers import IMAGE, compose_file, docker, left_behind, standin

pytestmark = pytest.mark.docker

WORDS = {
    "image: " + IMAGE: "image: 127.0.0.1:9/nobody/nothing:1",
    "pull_policy: never": "pull_policy: missing",
}


@pytest.fixture(scope="session", autouse=True)
def image() -> Iterator[None]:
    """Make the image of the smallest program, and remove it."""
    with standin():
        yield


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Give a project whose ports nobody uses, and see that nothing of it is left."""
    offset = free_offset([8000, 8400], random.sample(range(1000, 24_000), 200))
    project = Project(f"small-{uuid.uuid4().hex[:8]}", tmp_path, offset)
    yield project
    make(project).down(delete_data=True)
    assert left_behind(project) == []


def make(project: Project, changes: dict[str, str] | None = None) -> DockerRuntime:
    """Make a runtime of the contract's services, with changes in the text of the Compose file."""
    file = compose_file(project.root / "docker-compose.yml", changes or {})
    return DockerRuntime(project, TABLE, environ=base_environment(), file=file)


def test_a_port_of_a_program_is_told(project: Project) -> None:
    """The error names the port, who needs it and who holds it, and offsets that are free."""
    told = pytest.raises(PortTaken, match=rf"{project.port(8400)}, needed by desk.*pid")
    with socket.create_server(("127.0.0.1", project.port(8400))), told as error:
        make(project).up()
    assert "--port-offset" in error.value.next_step


def test_a_port_of_a_container_is_told(project: Project, tmp_path: Path) -> None:
    """The error names the container that holds the port."""
    make(project).up(Options(only=("desk",)))
    second = Project(f"{project.name}-b", tmp_path / "b", project.port_offset)
    second.root.mkdir()
    with pytest.raises(PortTaken, match=f"container queue-lab-{project.name}-desk-1 of the project"):
        make(second).up()


def test_an_image_that_cannot_be_fetched_is_told(project: Project) -> None:
    """A registry that does not answer."""
    with pytest.raises(ImageMissing, match=r"127\.0\.0\.1:9/nobody/nothing"):
        make(project, WORDS).up()


def test_an_image_that_cannot_be_built_is_told(project: Project) -> None:
    """A Dockerfile with a step that fails."""
    (project.root / "Dockerfile").write_text("FROM python:3.13-slim-trixie\nRUN echo nonsense && false\n")
    changes = {f"image: {IMAGE}": f"image: queue-lab/broken:{project.name}\n  build: ."}
    with pytest.raises(ImageMissing, match="cannot be built"):
        make(project, changes).up()


def test_a_program_that_always_ends_is_told(project: Project) -> None:
    """`up` does not wait for it until the time is up, and quotes its last words."""
    with pytest.raises(StartFailed, match="cannot start: no configuration"):
        make(project, {"[python, /standin.py]": "[python, /standin.py, crash]"}).up()


def test_an_engine_that_is_not_there_is_told(project: Project) -> None:
    """Whatever is asked of it."""
    file = compose_file(project.root / "docker-compose.yml", {})
    environ = {**base_environment(), "DOCKER_HOST": "tcp://127.0.0.1:9"}
    runtime = DockerRuntime(project, TABLE, environ=environ, file=file)
    for call in (runtime.up, runtime.instances, runtime.down):
        with pytest.raises(NoDocker, match="does not answer"):
            call()


def test_an_outside_broker_is_refused(project: Project) -> None:
    """On Docker the stack has servers of its own; the answer says which variable is in the way."""
    runtime = DockerRuntime(project, environ=base_environment())
    with pytest.raises(Unsupported, match="LAB_AMQP_URL"):
        runtime.up(Options(settings={"LAB_AMQP_URL": "amqp://a:b@broker/"}))


@pytest.mark.parametrize("init", ["init: true", "init: false"])
def test_a_stack_of_compose_alone_can_be_driven(project: Project, init: str) -> None:
    """It has no record: its containers tell all; one without an init can be killed, too."""
    runtime = make(project, {"init: true": init})
    variables = {"LAB_DESK_PORT": project.port(8000), "LAB_DESK_EXTRA_PORT": project.port(8400)}
    env = tuple(f"{name}={value}" for name, value in variables.items())
    (project.root / ".env").write_text("\n".join((*env, "LAB_PREFETCH=7")))
    file = project.root / "docker-compose.yml"
    words = (
        "-p",
        compose_project(project.name),
        "-f",
        str(file),
        "up",
        "-d",
        "--wait",
        "--scale",
        "worker=2",
    )
    docker("compose", *words)
    assert [entry.name for entry in runtime.instances()] == ["worker-1", "worker-2", "desk-1"]
    assert runtime.environment()["LAB_PREFETCH"] == "7"
    before = {entry.name: entry.id for entry in runtime.instances()}
    runtime.kill("worker-1")
    runtime.wait_ready("worker-1")
    runtime.scale("worker", 3)
    after = {entry.name: entry for entry in runtime.instances()}
    assert after["worker-1"].id != before["worker-1"]
    assert after["worker-1"].restarts == 1
    assert (after["worker-2"].id, after["desk-1"].id) == (before["worker-2"], before["desk-1"])
    assert {entry.state for entry in after.values()} == {State.RUNNING}
    runtime.down()
    assert runtime.instances() == []
    assert not record_path(project).exists()
