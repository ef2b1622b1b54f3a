"""The notebooks are stored without output, and run on the samples that come with the kit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from labkit.cli.app import app
from labkit.notebooks.tables import SAMPLES
from tests.support.notebooks import NAMES, WALKTHROUGH, complaints, execute, pictures, read

SAMPLE = {"1": "mix", "2": "mix", "3": "mix", "4": "failure", "5": "queueing"}
PICTURES = {"1": 4, "2": 3, "3": 3, "4": 2, "5": 2}
COMMAND = re.compile(r"labctl ([a-z]+)")
LARGEST_BYTES = 1_000_000


def test_there_are_five_chapters() -> None:
    """They are numbered, and come in the order in which they are read."""
    assert [name[0] for name in NAMES] == list("12345")


@pytest.mark.parametrize("name", [*NAMES, WALKTHROUGH])
def test_notebooks_are_stored_without_output(name: str) -> None:
    """A notebook in the repository has no output, no counts and no traces of an editor; its ids are words."""
    notebook = read(name)
    ids = [cell.id for cell in notebook.cells]
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", found) for found in ids)
    assert len(set(ids)) == len(ids)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert cell.metadata == {}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@pytest.mark.parametrize("name", [*NAMES, WALKTHROUGH])
def test_commands_in_notebooks_exist(name: str) -> None:
    """Every labctl command that a notebook names can be typed."""
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    text = "\n".join(cell.source for cell in read(name).cells)
    assert set(COMMAND.findall(text)) <= known


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_is_followed_by_what_to_see(name: str) -> None:
    """No picture is left without words."""
    cells = read(name).cells
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        if "plt.show()" in cell.source:
            assert after is not None
            assert "What to see." in after.source


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_run_on_the_samples(name: str, tmp_path: Path) -> None:
    """A fresh checkout shows all pictures, without a warning."""
    done = execute(name, SAMPLES / SAMPLE[name[0]], tmp_path)
    assert complaints(done) == []
    assert pictures(done) == PICTURES[name[0]]


def test_the_samples_are_small() -> None:
    """They are a part of every download."""
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < LARGEST_BYTES
