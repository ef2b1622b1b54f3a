"""What Docker says, and what a person is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labkit.errors import DockerRefused, ImageMissing, LabError, NoDocker, PortTaken
from labkit.runtime.docker.compose import Compose
from labkit.runtime.docker.engine import Engine
from labkit.runtime.docker.trouble import explain

PORT = (
    "Error response from daemon: driver failed programming external connectivity on endpoint x-api-1 (4f): "
)
WORDS: dict[str, tuple[type[LabError], str, str]] = {
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?": (
        NoDocker,
        "does not answer",
        "--runtime local",
    ),
    "error during connect: Get http://%2F%2F.%2Fpipe%2FdockerDesktopLinuxEngine/v1.47/version: open "
    "//./pipe/dockerDesktopLinuxEngine: The system cannot find the file specified.": (
        NoDocker,
        "does not answer",
        "Start it",
    ),
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: "
    'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.24/containers/json": dial unix /var/run/docker.sock: '
    "connect: permission denied": (NoDocker, "may not talk", "usermod -aG docker"),
    "Error while fetching server API version: ('Connection aborted.', PermissionError(13, 'Permission "
    "denied'))": (NoDocker, "may not talk", "usermod -aG docker"),
    "docker: 'compose' is not a docker command.\nSee 'docker --help'": (NoDocker, "Compose v2", "Install it"),
    "unknown shorthand flag: 'p' in -p\nSee 'docker --help'.": (NoDocker, "Compose v2", "Install it"),
    PORT + "Bind for 127.0.0.1:8000 failed: port is already allocated": (
        PortTaken,
        "Port 8000 is held",
        "--port-offset",
    ),
    PORT + "Error starting userland proxy: listen tcp4 127.0.0.1:5672: bind: address already in use": (
        PortTaken,
        "Port 5672 is held",
        "--port-offset",
    ),
    "Error response from daemon: Ports are not available: exposing port TCP 127.0.0.1:9000 -> 0.0.0.0:0: "
    "listen tcp 127.0.0.1:9000: bind: Only one usage of each socket address (protocol/network "
    "address/port) is normally permitted.": (PortTaken, "Port 9000 is held", "--port-offset"),
    "Error response from daemon: pull access denied for queue-lab/nothing, repository does not exist or may "
    "require 'docker login': denied: requested access to the resource is denied": (
        ImageMissing,
        "queue-lab/nothing",
        "network",
    ),
    "Error response from daemon: manifest for rabbitmq:9.9 not found: manifest unknown: manifest unknown": (
        ImageMissing,
        "rabbitmq:9.9",
        "bundle",
    ),
    'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup '
    "registry-1.docker.io on 127.0.0.53:53: no such host": (ImageMissing, "no such host", "network"),
    "toomanyrequests: You have reached your pull rate limit.": (ImageMissing, "rate limit", "bundle"),
    "Error response from daemon: write /var/lib/docker/overlay2/x/merged/y: no space left on device": (
        DockerRefused,
        "disk that Docker uses is full",
        "docker system prune",
    ),
    "Error response from daemon: something that nobody has seen": (
        DockerRefused,
        "something that nobody has seen",
        "labctl doctor",
    ),
}


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words[:40])
def test_words_have_a_meaning(words: str) -> None:
    """Each trouble is told in a sentence, with a next step."""
    kind, sentence, step = WORDS[words]
    error = explain(words)
    assert type(error) is kind
    assert sentence in error.message
    assert step in error.next_step


def test_no_engine_is_told() -> None:
    """The SDK's own error, from a port where nobody listens, becomes a sentence."""
    with pytest.raises(NoDocker, match="does not answer"):
        Engine({"DOCKER_HOST": "tcp://127.0.0.1:9"}).containers([])


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ("echo \"docker: 'compose' is not a docker command.\" >&2; exit 1", "no Compose v2"),
        ("echo 1.29.2", "no Compose v2"),
        ("echo v2.40.3", ""),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_old_compose_is_told(tmp_path: Path, says: str, sentence: str) -> None:
    """A docker command without Compose, or with version 1, is not enough."""
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{says}\n")
    (tmp_path / "docker").chmod(0o700)
    compose = Compose(tmp_path / "docker-compose.yml", "x", {"PATH": str(tmp_path)})
    if not sentence:
        compose.check()
        return
    with pytest.raises(NoDocker, match=sentence):
        compose.check()


def test_no_docker_at_all_is_told(tmp_path: Path) -> None:
    """Without the command docker, the next step says how to get it."""
    with pytest.raises(NoDocker, match="not installed"):
        Compose(tmp_path / "docker-compose.yml", "x", {"PATH": str(tmp_path)}).check()
