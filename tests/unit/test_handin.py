"""What a student hands in, the page for it, and the table over all pages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import BadValue
from labkit.labs.evidence import fingerprint
from labkit.labs.handin import HandIn, embed, file_name, hand_in, read
from labkit.labs.progress import Answer, Checked, LabProgress, Prediction, Print, Progress, load, path, save
from labkit.labs.summary import collect, summarize
from labkit.report.handin import page, write_page
from labkit.runs.read import RunFiles
from tests.support.lab import World
from tests.support.runs import finished
from tests.unit.test_board import lab, question

TROUBLE = "because </script><b>&"
LAB = lab(question(measured="ended"), question(id="other", answer=1))
NAME = LAB.name
PASSED = LabProgress(
    started_at=1000.0,
    predictions={"q": Prediction(20.0, TROUBLE, 1010.0), "other": Prediction(1.0, "", 1020.0)},
    hints=1,
    checks=(Checked("lost", "No job was lost", True, "40 of 40", "", 1500.0),),  # noqa: FBT003  (a verdict)
    solved_by="student",
    figures={"ended": 25.3},
    transfer=Answer(30.0, 30.0, right=True, tries=1),
    passed_at=1720.0,
    code="QL03-1234",
)


def record(student: str = "Anna K", made_at: float = 2000.0, **fields: Any) -> HandIn:  # noqa: ANN401  (fields of the progress)
    """Return a record of one lab that was passed, except for what is given."""
    state = replace(PASSED, **fields)
    made = hand_in(
        Progress(student, NAME, {NAME: state}), [LAB], lambda _: {"q": 25.0, "other": 1.0}, "Queues"
    )
    return replace(made, made_at=made_at)


def test_predictions_stand_beside_measurements() -> None:
    """Each prediction has its truth, what was measured, and whether it was near enough."""
    first, second = record().labs[0].predictions
    assert (first.value, first.truth, first.measured, first.right) == (20.0, 25.0, 25.3, False)
    assert (second.right, second.measured) == (True, None)
    assert record().labs[0].minutes == 12


def test_an_open_lab_tells_no_answers() -> None:
    """Who makes the page before the lab is passed does not read the truth in it."""
    wrong = Answer(99.0, 61.3, right=False, tries=1)
    made = record(passed_at=None, transfer=wrong)
    said = made.labs[0].predictions[0]
    assert (said.truth, said.right, said.measured, said.explained) == (None, None, None, "")
    assert "61.3" not in page(made, lambda _: None)


def test_labs_without_anything_are_left_out() -> None:
    """A lab that was only opened is not handed in."""
    assert record(predictions={}, checks=()).labs == ()


def test_the_page_holds_the_record(tmp_path: Path) -> None:
    """Whatever a student wrote, the record comes back from the page, which is one file of its own."""
    made = record()
    place = write_page(made, tmp_path / file_name(made), lambda _: None)
    assert place.name == "labs-anna-k.html"
    assert read(place) == made
    text = place.read_text(encoding="utf-8")
    assert TROUBLE not in text
    assert not re.search(r"(src|href)=|url\(|@import", text)


def test_the_page_shows_the_runs(tmp_path: Path) -> None:
    """A run has a picture and its fingerprint; one that was changed since, or is gone, is named."""
    run = finished(tmp_path)
    true = Print(run.directory, fingerprint(run.path))
    made = record(runs=(Print("gone", "ab" * 32), replace(true, sha256="cd" * 32), true))
    text = page(made, lambda name: run if name == run.directory else None)
    assert text.count("<svg") == 2
    assert text.count("Its files were changed after the check.") == 1
    assert "no longer on the computer" in text
    assert true.sha256[:16] in text


@pytest.mark.parametrize(
    "text", ["<p>hello", embed(record())[:-40], embed(record()).replace("Anna", "Zo\x00")]
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    """A file that is no page, or a damaged one, is an error that names it."""
    place = tmp_path / "page.html"
    place.write_text(text)
    with pytest.raises(BadValue, match=r"page\.html"):
        read(place)


def test_the_summary_counts_each_student_once() -> None:
    """Of several pages of one student the newest counts; students come in the order of the alphabet."""
    found = summarize([record("Ben", 1.0), record("ben", 2.0, passed_at=2200.0), record("Anna")])
    assert [student.name for student in found.students] == ["Anna", "ben"]
    assert found.students[1].cells[NAME][0] == 20
    assert any("handed in 2 pages" in note for note in found.notes)


def test_the_summary_sets_time_against_the_budget() -> None:
    """The median is of those who passed by themselves."""
    pages = [
        record("Anna"),
        record("Ben", passed_at=2500.0),
        record("Cleo", solved_by="solve", passed_at=1060.0),
    ]
    line = summarize(pages).labs[0]
    assert (line.handed_in, line.passed, line.median, line.slowest, line.budget) == (3, 3, 12, 25, 10)


def test_the_summary_names_what_most_got_wrong() -> None:
    """The most frequent wrong answer stands beside the true one."""
    right = {"q": Prediction(25.0, "", 1.0)}
    missed = summarize([record("Anna"), record("Ben"), record("Cleo", predictions=right)]).missed
    assert [(miss.what, miss.wrong, miss.of, miss.often, miss.truth) for miss in missed] == [
        ("How many?", 2, 3, "20 jobs", "25 jobs")
    ]


def test_one_run_in_two_pages_is_named() -> None:
    """The instructor decides what it means: two who shared a computer have the same run too."""
    run = (Print("one", "ab" * 32),)
    found = summarize([record("Anna", runs=run), record("Ben", runs=run), record("Cleo")])
    assert found.notes == ("Lab 03: Anna and Ben have the same run.",)
    assert summarize([record("Anna", runs=run, replay=True), record("Ben", runs=run)]).notes == ()


def test_a_folder_is_collected(tmp_path: Path) -> None:
    """All pages below a folder are read; one that cannot be read is a note, none at all is an error."""
    with pytest.raises(BadValue, match="holds no page"):
        collect(tmp_path)
    (tmp_path / "b").mkdir()
    write_page(record(), tmp_path / "b" / "a.html", lambda _: None)
    (tmp_path / "x.HTML").write_text("hello")
    pages, notes = collect(tmp_path)
    assert [entry.student for entry in pages] == ["Anna K"]
    assert notes == ["x.HTML was not made by Queue Lab."]


def test_the_commands_of_hand_in_and_summary(tmp_path: Path) -> None:
    """`lab report` writes the page of the progress, `class summary` reads it."""
    world = World.make(tmp_path)
    place = path(world.runtime.project)
    save(place, Progress("Zoë", "", {"03-worker-failure": _state()}))
    out = tmp_path / "in"
    out.mkdir()
    result = world.run("lab", "report", "-o", str(out / "zoe.html"))
    assert result.exit_code == 0, result.output
    found = json.loads(world.run("class", "summary", str(out), "--json").stdout)
    assert [student["name"] for student in found["students"]] == ["Zoë"]
    assert "Zoë" in world.run("class", "summary", str(out)).output
    assert load(place).student == "Zoë"


def test_there_is_something_to_hand_in_first(tmp_path: Path) -> None:
    """Without a lab there is no page."""
    result = World.make(tmp_path).run("lab", "report")
    assert result.exit_code == 1
    assert "nothing to hand in yet" in result.output


def test_a_run_that_is_gone_is_none(tmp_path: Path) -> None:
    """The page asks for runs by their exact names."""
    run = finished(tmp_path / "runs")
    found = World.make(tmp_path).lab().find_run(run.directory)
    assert isinstance(found, RunFiles)
    assert World.make(tmp_path).lab().find_run("no-such-run") is None


def _state() -> LabProgress:
    return replace(PASSED, predictions={"lost": Prediction(0.0, "", 1.0)}, figures={"lost": 0.0})
