"""A project's name decides its folders, its offset all its ports."""

from pathlib import Path

import pytest

from labkit.errors import ProjectError
from labkit.project import Project


@pytest.mark.parametrize("name", ["default", "a", "7", "team_3-blue", "x" * 31])
def test_good_names(name: str, tmp_path: Path) -> None:
    """Small letters, digits, _ and - make a name, and the name makes the folder."""
    assert Project(name, tmp_path).state_dir == tmp_path / ".lab" / name


@pytest.mark.parametrize("name", ["", "-a", "_a", "A", "a b", "../up", "a/b", "a.b", "x" * 32, "ä", "a\n"])
def test_bad_names(name: str) -> None:
    """Any other name is refused, above all one that leads out of the folder."""
    with pytest.raises(ProjectError, match="cannot be the name"):
        Project(name)


def test_ports_are_shifted_by_the_offset() -> None:
    """Every port is its base number plus the offset."""
    assert Project(port_offset=100).port(8000) == 8100
    assert Project().port(8000) == 8000


@pytest.mark.parametrize("offset", [-1, 39_537, 70_000])
def test_impossible_offsets(offset: int) -> None:
    """An offset that leads beyond the last port is refused."""
    with pytest.raises(ProjectError, match="0 to 39536"):
        Project(port_offset=offset)


def test_all_folders_lie_in_the_state_folder(tmp_path: Path) -> None:
    """Whatever a project keeps lies in its own folder; only the lock lies beside it."""
    project = Project("mine", tmp_path)
    assert project.state_dir in project.data_dir.parents
    assert project.state_dir in project.log_dir.parents
    assert project.lock_file.parent == project.state_dir.parent
