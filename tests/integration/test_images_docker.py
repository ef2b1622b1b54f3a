"""Images, and what is measured in a container, on a real engine."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import images
from labkit.doctor import engine
from labkit.doctor.images import present
from labkit.errors import LabError
from labkit.experiments import calibrate
from labkit.install import wheels
from labkit.labs import prepare

pytestmark = pytest.mark.docker

BRIEF = calibrate.Effort(service_s=0, window_s=0, rounds=1)


@pytest.fixture
def tiny() -> Iterator[str]:
    """Make an image of one small file, and remove it again."""
    name = f"queue-lab-test/tiny:{os.getpid()}"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("nothing"))
    subprocess.run(
        [engine.program(), "import", "-", name], input=content.getvalue(), check=True, capture_output=True
    )
    try:
        yield name
    finally:
        remove(name)


def remove(name: str) -> None:
    """Remove an image, if it is there."""
    subprocess.run([engine.program(), "image", "rm", name], capture_output=True, check=False)


def test_an_image_travels_in_an_archive(tiny: str, tmp_path: Path) -> None:
    """What was saved and removed is there again after loading, with the same id."""
    before, heard = images.ids([tiny]), list[int]()
    path = tmp_path / wheels.IMAGES
    assert images.save([tiny], path, heard.append) == path.stat().st_size
    assert heard[-1] > 0
    remove(tiny)
    assert present(tiny) is None
    images.load(path)
    assert images.ids([tiny]) == before


def test_an_image_that_is_not_here_is_not_saved(tmp_path: Path) -> None:
    """Docker's own word ends it, and no archive stays behind."""
    path = tmp_path / wheels.IMAGES
    with pytest.raises(LabError):
        images.save([f"queue-lab-test/none:{os.getpid()}"], path)
    assert not path.exists()


def test_prepare_brings_all_images(tmp_path: Path) -> None:
    """What is not here is pulled or built; the second time there is nothing to do."""
    assert prepare.images(None, tmp_path / "build.log", lambda _: None).ok
    assert images.wanted().missing == ()
    told: list[str] = []
    assert prepare.images(None, tmp_path / "build.log", told.append).ok
    assert told == []


def test_a_container_is_measured() -> None:
    """The figures come from the image of the services, where the workers compute."""
    pair = ("small.jpg", "resize,160x120")
    found = calibrate.calibrate([pair], BRIEF, runtime=calibrate.DOCKER)
    assert 0 < found.service_s(*pair) < 60
    assert found.runtime == calibrate.DOCKER
    assert found.has([pair])
