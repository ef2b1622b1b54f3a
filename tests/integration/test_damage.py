"""A disk that is full, or that cannot be written: a clear error, and nothing half done."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.project import Project
from labkit.runtime.local.runtime import LocalRuntime
from labkit.settings import base_environment
from tests.support.ports import free_offset


def _runtime(root: Path) -> LocalRuntime:
    return LocalRuntime(Project("damage", root, free_offset()), environ=base_environment())


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """`up` says what is in the way, and starts nothing."""
    (tmp_path / ".lab").write_text("somebody's file")
    runtime = _runtime(tmp_path)
    with pytest.raises(LabError) as told:
        runtime.up()
    assert ".lab" in str(told.value)
    assert told.value.next_step


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a file system of eight megabytes."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = os.geteuid() == 0 and not _mount(folder)
    if not mounted:
        pytest.skip("this account may not mount file systems")
    yield folder
    subprocess.run(["umount", folder], check=True)  # noqa: S607  (found on the PATH of every system)


def test_a_full_disk_is_told_and_leaves_no_process(tiny_disk: Path) -> None:
    """`up` fails with an error for people, and `down` leaves nothing."""
    runtime = _runtime(tiny_disk)
    with pytest.raises(LabError, match="free; a stack needs"):
        runtime.up()
    runtime.down()
    assert runtime.instances() == []


def _mount(folder: Path) -> int:
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode
