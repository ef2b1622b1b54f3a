"""Files of labs: lab.toml, check.py, the progress, and what `dev check` sees without a stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.errors import BadValue, ProjectError
from labkit.labs import checks, content, devcheck, progress
from labkit.labs.progress import Answer, Checked, LabProgress, Prediction, Print, Progress
from labkit.project import Project
from tests.support.desks import CHECK, LAB, desk, small_lab
from tests.support.lab import World

WHOLE = LabProgress(
    1.0,
    prepared_at=2.0,
    predictions={"sum": Prediction(2.0, "why", 3.0), "who": Prediction("a worker", "", 4.0)},
    step=2,
    hints=1,
    checks=(Checked("the_answer", "It is there", None, "no", "write", 5.0),),
    solved_by="student",
    runs=(Print("run", "00ff"),),
    figures={"sum": 2.0},
    transfer=Answer(4.0, 4.0, right=True, tries=1),
    passed_at=61.0,
    code="QL00",
)


def test_the_progress_comes_back_as_it_was(tmp_path: Path) -> None:
    """Everything that is written is read again, in a file for people."""
    before = Progress("Ana", "00-small", {"00-small": WHOLE})
    path = tmp_path / "own" / "labs.json"
    progress.save(path, before)
    assert progress.load(path) == before
    assert '"student": "Ana"' in path.read_text()
    assert WHOLE.minutes == 1.0
    assert WHOLE.predicted_at == 4.0


def test_no_progress_yet(tmp_path: Path) -> None:
    """A file that is not there is the beginning."""
    assert progress.load(tmp_path / "labs.json") == Progress()


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2}', '{"format": 1, "labs": {"a": {}}}'])
def test_a_damaged_progress(tmp_path: Path, text: str) -> None:
    """It is named, and not overwritten in silence."""
    path = tmp_path / "labs.json"
    path.write_text(text)
    with pytest.raises(ProjectError, match=r"labs\.json"):
        progress.load(path)
    assert path.read_text() == text


def test_the_progress_outlives_the_stack_s_data(tmp_path: Path) -> None:
    """It is not in the folder that `down --delete-data` removes."""
    project = Project("class", tmp_path)
    assert not progress.folder(project).is_relative_to(project.state_dir)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("minutes = 5", "minutes = 0"), "minutes"),
        (('hints = ["Count.", "Count again."]', 'hints = ["Count.", " "]'), "hint"),
        (('id = "who"', 'id = "sum"'), "same id"),
        (('answer = "a worker"', 'answer = "the queue"'), "predict.1"),
        (("title = ", "titel = "), "titel|title"),
        (("[numbers]", "[numbers"), "no TOML"),
    ],
)
def test_a_wrong_file(tmp_path: Path, change: tuple[str, str], field: str) -> None:
    """The error names the file and the field."""
    folder = small_lab(tmp_path, text=LAB.replace(*change, 1))
    with pytest.raises(BadValue, match=rf"00-small/lab\.toml.*({field})"):
        content.read(folder)


@pytest.mark.parametrize(
    "text", ["x = 1", CHECK.replace('    """The answer is there."""\n', "")], ids=["empty", "no docstring"]
)
def test_a_wrong_check(tmp_path: Path, text: str) -> None:
    """A check.py without a check, or with one that says nothing to the student, is refused."""
    with pytest.raises(BadValue):
        checks.load(small_lab(tmp_path, check=text) / "check.py")


def test_the_labs_of_the_kit_are_sound() -> None:
    """Numbers, minutes, headings, steps in the README, exercises and solutions."""
    labs = content.everything()
    assert [found for found in devcheck.static(labs, lambda _: "") if found.problem] == []
    assert [lab.number for lab in labs] == [f"{number:02}" for number in range(len(labs))]


def test_an_unsound_lab_is_found(tmp_path: Path) -> None:
    """A lab without a README, with an unknown command and with a number left out."""
    small_lab(tmp_path, "01-small", LAB.replace("minutes = 5", 'minutes = 5\nrequires = ["02"]'))
    labs = desk(World.make(tmp_path), tmp_path).labs()
    found = {entry.what: entry.problem for entry in devcheck.static(labs, lambda typed: f"no {typed}")}
    for what in (
        "numbers without gaps",
        "90 minutes",
        "headings in order",
        "each step is in the README",
        "commands exist",
        "requires earlier labs",
    ):
        assert found[what], what
