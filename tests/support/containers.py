"""A small Compose file and image for the contract of the runtimes, and what such a stack leaves behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from labkit.project import Project
from labkit.runtime.docker.names import PROJECT, compose_project

IMAGE = f"queue-lab/standin:{os.getpid()}"
PROGRAM = Path(__file__).parents[1] / "contract" / "standin.py"
DOCKERFILE = """
FROM python:3.13-slim-trixie
COPY standin.py /standin.py
USER 10001
"""
COMPOSE = """
x-program: &program
  image: {image}
  pull_policy: never
  init: true
  restart: unless-stopped
  read_only: true
  cap_drop: [ALL]
  command: [python, /standin.py]
  stop_grace_period: 5s
  environment: &settings {{LAB_HOST: 0.0.0.0, LAB_PORT: 8000, LAB_PREFETCH: }}
  depends_on: [desk]
  healthcheck:
    test:
      - CMD
      - python
      - -c
      - import urllib.request; urllib.request.urlopen("http://127.0.0.1:8000/health")
    interval: 1s
services:
  worker: *program
  pool: {{<<: *program, profiles: [per-operation]}}
  desk:
    <<: *program
    depends_on: []
    ports:
      - 127.0.0.1:${{LAB_DESK_PORT}}:8000
      - 127.0.0.1:${{LAB_DESK_EXTRA_PORT}}:8400
volumes:
  unused:
"""


@contextmanager
def standin() -> Iterator[str]:
    """Build the image of the smallest program, and remove it in the end."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(DOCKERFILE)
        (Path(folder) / "standin.py").write_bytes(PROGRAM.read_bytes())
        docker("build", "--quiet", "--tag", IMAGE, folder)
    yield IMAGE
    docker("image", "rm", "--force", IMAGE)


def compose_file(path: Path, changes: Mapping[str, str] = MappingProxyType({})) -> Path:
    """Write the Compose file of the contract's services; `changes` replaces text in it."""
    text = COMPOSE.format(image=IMAGE)
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text)
    return path


def left_behind(project: Project) -> list[str]:
    """Name the containers, networks and volumes of a project."""
    label = f"label={PROJECT}={compose_project(project.name)}"
    asked = (
        ("ps", "--all", "--format", "{{.Names}}"),
        ("network", "ls", "--format", "{{.Name}}"),
        ("volume", "ls", "--format", "{{.Name}}"),
    )
    return [name for words in asked for name in docker(*words, "--filter", label).split()]


def docker(*words: str) -> str:
    """Run a docker command and return what it printed."""
    command = [str(shutil.which("docker")), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
