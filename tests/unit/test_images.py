"""The images of the stack, with a program `docker` that says what a test wants."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from labkit import images
from labkit.errors import ImageMissing, LabError, NoDocker
from labkit.labs import prepare
from tests.support import dockers

Say = Callable[[Mapping[str, str]], None]

OFFLINE = "!Error response from daemon: Get https://registry/v2/: dial tcp: lookup registry: no such host"
UNKNOWN = "!Error response from daemon: manifest for postgres:99 not found: manifest unknown"
CROWDED = "!toomanyrequests: You have reached your pull rate limit."
FULL = "!write /var/lib/docker/tmp/x: no space left on device"
DOWN = "!Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
CONFIG = json.dumps(
    {
        "services": {
            "api": {"image": "lab/services:1", "build": {"context": "."}},
            "worker": {"image": "lab/services:1"},
            "postgres": {"image": "postgres:17"},
            "grafana": {"image": "grafana:12", "profiles": ["observability"]},
        }
    }
)
ASK_CONFIG = " ".join((*images.COMPOSE, "config"))
SIZE = "image inspect --format {{.Size}}"


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Put the program on the PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    return partial(dockers.install, tmp_path)


def test_compose_says_which_images_there_are(say: Say) -> None:
    """Each once; what a service builds is not pulled for its neighbour, nor what has to be asked for."""
    say({ASK_CONFIG: CONFIG, f"{SIZE} postgres:17": "500"})
    found = images.wanted()
    assert found == images.Images(pulled=("postgres:17",), built=("lab/services:1",))
    assert found.missing == ("lab/services:1",)
    assert found.size == 500


@pytest.mark.parametrize(
    ("words", "kind", "message", "step", "tries"),
    [
        (OFFLINE, ImageMissing, "registry cannot be reached", "prepare --from", 3),
        (UNKNOWN, ImageMissing, "manifest unknown", "prepare --from", 1),
        (CROWDED, ImageMissing, "rate limit", "docker login", 1),
        (FULL, LabError, "disk", "docker system prune", 1),
        (DOWN, NoDocker, "does not answer", "Start it", 1),
    ],
)
def test_a_pull_that_fails_says_why(
    say: Say, tmp_path: Path, words: str, kind: type[LabError], message: str, step: str, tries: int
) -> None:
    """What may pass is tried again, but not for ever; each trouble has its own next step."""
    say({"pull": words})
    told: list[str] = []
    with pytest.raises(kind, match=message) as caught:
        images.pull("postgres:17", told.append, tries=3, pause_s=0)
    assert step in caught.value.next_step
    assert dockers.asked(tmp_path) == ["pull postgres:17"] * tries
    assert len(told) == tries - 1


def test_a_pull_that_works_at_last_is_well(say: Say, tmp_path: Path) -> None:
    """A network that comes back while it is tried again is no error."""
    say({"pull": OFFLINE})
    images.pull("postgres:17", lambda _: dockers.install(tmp_path, {"pull": "done"}), pause_s=0)


def test_a_build_that_fails_names_its_log(say: Say, tmp_path: Path) -> None:
    """The log keeps all of Docker's words."""
    say({" ".join((*images.COMPOSE, "build")): "!ERROR: No matching distribution found for pika"})
    with pytest.raises(ImageMissing, match="No matching distribution") as caught:
        images.build(tmp_path / "state" / "build.log")
    assert str(tmp_path / "state" / "build.log") in caught.value.next_step
    assert "pika" in (tmp_path / "state" / "build.log").read_text()


def test_images_that_cannot_be_had_are_a_step_that_failed(say: Say, tmp_path: Path) -> None:
    """`prepare` says what to do instead of ending with an error."""
    say({ASK_CONFIG: CONFIG, "pull": UNKNOWN})
    step = prepare.images(None, tmp_path / "build.log", lambda _: None)
    assert (step.name, step.ok) == ("Images", False)
    assert "prepare --from" in step.next_step


def test_what_is_here_is_neither_pulled_nor_built(say: Say, tmp_path: Path) -> None:
    """A second `prepare` asks for nothing."""
    say({ASK_CONFIG: CONFIG, SIZE: "2000000000"})
    step = prepare.images(None, tmp_path / "build.log", lambda _: None)
    assert (step.ok, step.said) == (True, "2 are here, 4.0 GB")
    assert not [words for words in dockers.asked(tmp_path) if words.startswith(("pull", "compose build"))]


def test_an_archive_that_is_gone_is_said(tmp_path: Path) -> None:
    """A bundle that was copied in part is not loaded."""
    with pytest.raises(LabError, match="is missing in the bundle"):
        images.load(tmp_path / "images.tar.gz")


def test_a_full_disk_ends_a_bundle_in_words(say: Say, tmp_path: Path) -> None:
    """What could not be written is told with the folder's trouble, and no half archive stays."""
    say({"save": "bytes"})
    target = tmp_path / "gone" / "images.tar.gz"
    with pytest.raises(LabError, match="cannot be saved"):
        images.save(["postgres:17"], target)
    assert not target.exists()
